"""Which playbook holds for a code, what was written before, and where a person may keep one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import BigIntegerField, Case, Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, When

from exceptions_app.models import Cause, ExceptionCase, PlaybookUse, PlaybookVersion
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.policies import ALLOWED, VERB_WORDS, Ruling
from exceptions_app.queries import keyset
from exceptions_app.queries.keyset import Direction, Key, Page, Sort
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import Verb
from exceptions_app.wording import say

KEEPING, DECIDING = Verb.PROPOSE, Verb.APPROVE
MOST_VERSIONS = 20
PAGE_SIZE = 50
NEWEST = Sort("newest", (Key("id", "integer", descending=True),))


class PlaybookState(StrEnum):
    IN_FORCE = "in_force"
    WAITING = "waiting"
    OVER = "over"


STATE_WORDS = {
    PlaybookState.IN_FORCE: "In force",
    PlaybookState.WAITING: "Waits for a second person",
    PlaybookState.OVER: "Not in force",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookLine:
    """One code that ever had a playbook. `holds` is what is in force, `newest` the version that was written last."""

    cause: Cause
    newest: PlaybookVersion
    holds: PlaybookVersion | None
    waits: bool
    uses: int
    last_used_at: datetime | None

    @property
    def shown(self) -> PlaybookVersion:
        return self.holds or self.newest

    @property
    def state(self) -> PlaybookState:
        if self.holds is not None:
            return PlaybookState.IN_FORCE
        return PlaybookState.WAITING if self.waits else PlaybookState.OVER


def cases_with_code(reach: Reach, cause: Cause) -> ExceptionCaseQuerySet:
    """Those that the reader sees, of whatever cause with the code."""
    found: ExceptionCaseQuerySet = cases_within(reach).filter(cause__connector=cause.connector, cause__code=cause.code)
    return found


def may_with_code(cause: Cause, verb: Verb, reach: Reach) -> Ruling:
    """Who holds the verb, and sees it, on one exception with the code. One query."""
    if (cases_within(reach, verb) & cases_with_code(reach, cause)).exists():
        return ALLOWED
    return Ruling(
        False,
        say("You may not {do} where its exceptions are. An administrator can grant it.", do=say(VERB_WORDS[verb])),
    )


def _of(cause: Cause) -> Q:
    return Q(connector=cause.connector, code=cause.code)


def holding(cause: Cause) -> PlaybookVersion | None:
    """What holds for the code now; None also when the newest has no steps. One query."""
    found = PlaybookVersion.objects.in_force().filter(_of(cause)).select_related("author").first()
    return found if found is not None and found.steps else None


def holding_of_case() -> Subquery:
    """The number of the version that holds for the code of an exception: to be read with something else of it."""
    of_code = PlaybookVersion.objects.in_force().filter(
        connector=OuterRef("cause__connector"), code=OuterRef("cause__code")
    )
    with_steps = Case(When(steps=[], then=None), default=F("pk"), output_field=BigIntegerField())
    return Subquery(of_code.annotate(shown=with_steps).values("shown")[:1])


def newest(cause: Cause) -> PlaybookVersion | None:
    """In force or not. One query."""
    found = PlaybookVersion.objects.filter(_of(cause)).select_related("author", "decision__decider")
    return found.order_by("-number").first()


def versions_of(cause: Cause) -> Sequence[PlaybookVersion]:
    """The newest first. One query."""
    found = PlaybookVersion.objects.filter(_of(cause)).select_related("author", "decision__decider")
    return list(found.order_by("-number")[:MOST_VERSIONS])


def holding_among(cases: QuerySet[ExceptionCase]) -> list[PlaybookVersion]:
    """What holds for one of the codes of these exceptions. Two queries."""
    codes = set(cases.order_by().values_list("cause__connector", "cause__code").distinct()[:100])
    wanted = Q(pk__in=[])
    for connector, code in codes:
        wanted |= Q(connector=connector, code=code)
    first: dict[tuple[str, str], PlaybookVersion] = {}
    for version in PlaybookVersion.objects.in_force().filter(wanted):
        first.setdefault((version.connector, version.code), version)
    return sorted((version for version in first.values() if version.steps), key=lambda version: version.code)


def uses_of(cause: Cause, reach: Reach) -> int:
    """How often it was used, of exceptions that the reader sees. One query."""
    return PlaybookUse.objects.filter(case__in=cases_with_code(reach, cause)).count()


def playbook_page(
    reach: Reach,
    *,
    search: str = "",
    state: str = "",
    connector: str = "",
    cursor: str = "",
    direction: Direction = "after",
) -> Page[PlaybookVersion]:
    """The newest version of each code of which the reader sees an exception, what was written last first. One query.

    Raises keyset.InvalidCursor.
    """
    of_code = {"connector": OuterRef("connector"), "code": OuterRef("code")}
    newer = PlaybookVersion.objects.filter(**of_code, number__gt=OuterRef("number"))
    causes = Cause.objects.filter(Exists(cases_within(reach).filter(cause=OuterRef("pk"))), **of_code)
    seen = cases_within(reach).filter(cause__connector=OuterRef("connector"), cause__code=OuterRef("code"))
    found: QuerySet[PlaybookVersion] = PlaybookVersion.objects.filter(~Exists(newer), Exists(seen))
    found = found.annotate(holds=_holding(of_code)).select_related("author", "decision__decider")
    if connector:
        found = found.filter(connector=connector)
    for word in search.split():
        found = found.filter(Q(code__icontains=word) | Exists(causes.filter(title__icontains=word)))
    if state:
        found = found.filter(_IN_STATE[PlaybookState(state)])
    return keyset.page(found, NEWEST, size=PAGE_SIZE, cursor=cursor, direction=direction)


def _holding(of_code: dict[str, OuterRef]) -> Subquery:
    with_steps = Case(When(steps=[], then=None), default=F("pk"), output_field=BigIntegerField())
    return Subquery(PlaybookVersion.objects.in_force().filter(**of_code).annotate(shown=with_steps).values("shown")[:1])


_WAITS = Q(needs_second=True, decision__isnull=True)
_IN_STATE = {
    PlaybookState.IN_FORCE: Q(holds__isnull=False),
    PlaybookState.WAITING: _WAITS,
    PlaybookState.OVER: Q(holds__isnull=True) & ~_WAITS,
}


def playbook_lines(versions: Sequence[PlaybookVersion], reach: Reach) -> list[PlaybookLine]:
    """With what holds, and how often it was used on exceptions that the reader sees. Three queries; none for none."""
    if not versions:
        return []
    wanted = Q()
    for version in versions:
        wanted |= Q(connector=version.connector, code=version.code)
    numbers = [version.holds for version in versions if version.holds]  # type: ignore[attr-defined]  # annotated
    holding = PlaybookVersion.objects.select_related("author", "decision__decider").in_bulk(numbers)
    seen = cases_within(reach).filter(cause=OuterRef("pk"))
    causes = (
        Cause.objects.filter(wanted, Exists(seen)).order_by("connector", "code", "pk").distinct("connector", "code")
    )
    cause_of = {(cause.connector, cause.code): cause for cause in causes}
    uses = _uses_of_codes({(version.connector, version.code) for version in versions}, reach)
    return [
        PlaybookLine(
            cause=cause_of[version.connector, version.code],
            newest=version,
            holds=holding.get(version.holds),  # type: ignore[attr-defined]
            waits=version.needs_second and not hasattr(version, "decision"),
            uses=uses.get((version.connector, version.code), (0, None))[0],
            last_used_at=uses.get((version.connector, version.code), (0, None))[1],
        )
        for version in versions
        if (version.connector, version.code) in cause_of
    ]


def _uses_of_codes(codes: set[tuple[str, str]], reach: Reach) -> dict[tuple[str, str], tuple[int, datetime | None]]:
    wanted = Q()
    for connector, code in codes:
        wanted |= Q(version__connector=connector, version__code=code)
    found = PlaybookUse.objects.filter(wanted, case__in=cases_within(reach)).order_by()
    counted = found.values_list("version__connector", "version__code").annotate(number=Count("pk"), last=Max("used_at"))
    return {(connector, code): (number, last) for connector, code, number, last in counted}
