"""What of an exception is masked, and who has it shown at this moment. One query for each."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from datetime import datetime
from threading import Lock
from typing import Final

from django.contrib.auth.models import AbstractUser
from django.db.models import BinaryField, Case, F, OuterRef, Subquery, Value, When

from exceptions_app.field_classes import FieldClass, sensitive_values
from exceptions_app.models import ExceptionCase, PayloadVersion, Reveal
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.policies import may_reveal
from exceptions_app.states import Verb

_MOST_KEPT: Final = 256  # versions whose values one process remembers, so that a page reads no document twice
_kept: "OrderedDict[tuple[int, str], Mapping[str, FieldClass] | None]" = OrderedDict()
_lock = Lock()


def with_reveal(cases: ExceptionCaseQuerySet, user: AbstractUser) -> ExceptionCaseQuerySet:
    """Exceptions that carry until when the person has the values of each shown."""
    running = Reveal.objects.running().of(user).filter(case=OuterRef("pk")).order_by("-until")
    return cases.annotate(revealed_until=Subquery(running.values("until")[:1]))


def shown_until(case: ExceptionCase, verbs: frozenset[Verb]) -> datetime | None:
    """Until when whoever read the exception `with_reveal` sees it in clear; None when they do not.

    Who lost the right sees nothing from then on.
    """
    until: datetime | None = vars(case).get("revealed_until")
    return until if until is not None and may_reveal(case, verbs).allowed else None


def values_of_version(version: PayloadVersion) -> Mapping[str, FieldClass] | None:
    """What is masked in a version whose content was read; None when nobody can say, since it cannot be read."""
    return _values(version.case_id, version.sha256, version.content)


def values_of(cases: Collection[int]) -> dict[str, FieldClass]:
    """What is masked in any version of these exceptions. A version is read once by each process."""
    if not cases:
        return {}
    with _lock:
        known = [sha256 for number, sha256 in _kept if number in cases]
    content = Case(When(sha256__in=known, then=Value(None)), default=F("content"), output_field=BinaryField(null=True))
    rows = PayloadVersion.objects.filter(case__in=cases).values_list("case_id", "sha256", content)
    found: dict[str, FieldClass] = {}
    for number, sha256, read in rows:
        found |= _values(number, sha256, read) or {}
    return found


def _values(case_id: int, sha256: str, content: bytes | memoryview | None) -> Mapping[str, FieldClass] | None:
    key = (case_id, sha256)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    if content is None:  # forgotten meanwhile
        version = PayloadVersion.objects.filter(case=case_id, sha256=sha256).only("content").first()
        content = version.content if version is not None else b""
    values = sensitive_values(bytes(content))
    with _lock:
        _kept[key] = values
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return values
