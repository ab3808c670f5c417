"""What the address of a work list says beside its filters, and the one spelling of all of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import QueryDict

from exceptions_app.filters import OPEN, CaseFilter

MOST_CHARACTERS = 2_000  # of the address of a list, without its path
DENSITIES = ("comfortable", "compact")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that may be left out; the one with the document's number and what is wrong is always there."""

    name: str
    label: str
    is_usual: bool = True


COLUMNS = (
    Column("priority", "Priority"),
    Column("score", "Score"),
    Column("party", "Counterparty or purpose"),
    Column("amount", "Amount"),
    Column("state", "State and assignee"),
    Column("due", "Due"),
    Column("age", "Age"),
    Column("tags", "Tags", is_usual=False),
    Column("document_date", "Document date", is_usual=False),
    Column("opened", "Opened", is_usual=False),
    Column("category", "Category", is_usual=False),
    Column("arrivals", "Times it came in", is_usual=False),
)
USUAL_COLUMNS = tuple(column.name for column in COLUMNS if column.is_usual)
_NAMES = {column.name for column in COLUMNS}
LAYOUT_NAMES = frozenset({"columns", "density"})
"""Parameters that change how a list looks and not what is in it."""


def _named(values: Iterable[str]) -> list[str]:
    """Of a form each column comes as a value of its own, in a link they are joined by commas."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def columns_of(params: QueryDict) -> tuple[str, ...]:
    """The columns that are shown, always in the same order; the usual ones when none is named that there is."""
    wanted = set(_named(params.getlist("columns")))
    return tuple(column.name for column in COLUMNS if column.name in wanted) or USUAL_COLUMNS


def density_of(params: QueryDict) -> str:
    """The density that the address asks for; empty when it leaves that to the reader."""
    density = params.get("density") or ""
    return density if density in DENSITIES else ""


def unknown_layout(params: QueryDict) -> list[str]:
    """What of columns and density is not known, as sentences."""
    unknown = [name for name in _named(params.getlist("columns")) if name not in _NAMES]
    problems = [f"There is no column “{name[:60]}”; it was left out." for name in unknown]
    density = params.get("density") or ""
    if density and density not in DENSITIES:
        problems.append(f"There is no density “{density[:60]}”; the list has the one that you chose for all pages.")
    return problems


def canonical_query(params: QueryDict) -> str:
    """The address of a list without its path and place: known names in one order, nothing that is usual or empty."""
    kept = [(name, (params.get(name) or "").strip()) for name in (*CaseFilter.base_filters, "sort")]
    columns = columns_of(params)
    kept.append(("columns", "" if columns == USUAL_COLUMNS else ",".join(columns)))
    kept.append(("density", density_of(params)))
    return urlencode([(name, value) for name, value in kept if value and (name, value) != ("state", OPEN)], safe=",")
