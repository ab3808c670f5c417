"""Values that one open exception lacks, with what the mappings know of them by now."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.models import AbstractUser
from django.urls import reverse

from exceptions_app.models import ExceptionCase, UnmappedValue
from exceptions_app.queries.mapping_effect import count_open_with
from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.states import Verb
from exceptions_app.value_lookup import mapped_values_of
from integrations.mapped_values import MappedValue
from integrations.value_kinds import ValueKind, not_mapped

MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Lacking:
    """One value: how many open exceptions have it, where it can be mapped (empty for who may not), and what holds."""

    words: str
    number: int
    propose_url: str
    holds: MappedValue | None
    mends_url: str


def lacking_of(case: ExceptionCase, user: AbstractUser) -> Sequence[Lacking]:
    """One query for an exception that lacks nothing; two more, and two for each value, where it does."""
    if not case.is_open:
        return []
    found: dict[tuple[str, str], UnmappedValue] = {}
    for value in UnmappedValue.objects.filter(case=case).order_by("pk"):
        value.case = case
        found.setdefault((value.kind, value.value), value)
    reach = reach_of(user) if found else Reach({}, {})
    return [_lacking(value, reach) for value in list(found.values())[:MOST_SHOWN]]


def _lacking(found: UnmappedValue, reach: Reach) -> Lacking:
    case, kind = found.case, ValueKind(found.kind)
    day = found.on or case.document_date or case.opened_at.date()
    holds = mapped_values_of(case.connection).find(kind, found.value, on=day, entity=case.entity.code)
    asked = {
        "kind": kind.value,
        "connection": case.connection.slug,
        "entity": case.entity.code,
        "queue": case.queue.slug,
        "source_value": found.value,
    }
    may = Verb.PROPOSE in reach.verbs_of(case) and holds is None
    return Lacking(
        words=not_mapped(kind, found.value),
        number=count_open_with(found, reach),
        propose_url=f"{reverse('exceptions:value_mapping_new')}?{urlencode(asked)}" if may else "",
        holds=holds,
        mends_url=reverse("exceptions:mapping_mends", args=[holds.mapping]) if holds else "",
    )
