"""The kinds of targets of a rehearsal. Each lane is one kind: a target of its own, with connections that lead there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from exceptions_app.wording import say


@dataclass(frozen=True, slots=True)
class Lane:
    """`late` is how many seconds after a cut connection the target may still book.

    A target that recognises a repeat may be later than the settle time; of another that would be a false promise.
    """

    kind: str
    words: str
    late: float
    set_up: Mapping[str, Any] = field(default_factory=dict)  # a control call to the simulated target
    connection: Mapping[str, Any] = field(default_factory=dict)  # fields of its connections
    can_be_asked: bool = True
    has_list: bool = True  # of what it booked, which our connector reads
    resends_by_itself: bool = True
    most_doubled: int = 0  # of 700: what the kind cannot promise away
    connector: str = "erp"
    path: str = "/erp/postings"
    method: str = "POST"


_IGNORES_KEYS: Final = MappingProxyType({"honour_keys": False})

LANES: Final[Mapping[str, Lane]] = MappingProxyType(
    {
        lane.kind: lane
        for lane in (
            Lane("deduplicates", say("recognises a repeat by its key"), late=7.0),
            Lane(
                "upserts", say("keeps each document once, whoever sends it"), late=7.0, connector="erp_master",
                path="/erp/partners", method="PUT", has_list=False,
            ),
            Lane(
                "askable", say("can only be asked"), late=3.0, set_up=_IGNORES_KEYS,
                connection={"target_kind": "askable"}, resends_by_itself=False,
            ),
            Lane(
                "neither", say("recognises nothing and answers no question"), late=3.0, set_up=_IGNORES_KEYS,
                connection={"target_kind": "neither"}, can_be_asked=False, has_list=False, resends_by_itself=False,
            ),
            Lane(
                "askable-resend", say("can only be asked, and the connection resends by itself"), late=3.0,
                set_up=_IGNORES_KEYS, connection={"target_kind": "askable", "resend_when_absent": True},
                most_doubled=2,
            ),
        )
    }
)  # fmt: skip
# Without the opt-in, as every connection is until somebody decides otherwise.
BY_DEFAULT: Final = ("deduplicates", "upserts", "askable", "neither")
