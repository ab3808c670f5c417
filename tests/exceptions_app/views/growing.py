"""How a list that grows is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.cast import Cast


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for the list where. `most`: as many rows as it shows at once, by the tag that begins a row.

    Of a list of the API the results are counted.
    """

    who: str
    address: str
    most: int = 50
    tag: str = "<tr"


def api(who: str, path: str, query: str = "", *, most: int = 50) -> Asked:
    return Asked(who, f"/api/v1/{path}?page_size=100{query}", most=most)


Grow = Callable[[Cast, int, int], Mapping[str, Asked]]
"""Makes the rows from the first number up to the second, which it leaves out; tells where they are seen."""
