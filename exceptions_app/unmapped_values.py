"""What an exception lacks that a value mapping could give it, kept where it can be found again."""

from collections.abc import Iterable
from datetime import date, datetime

from exceptions_app.models import ExceptionCase, UnmappedValue
from integrations.refusals import RefusalError, Severity


def remember_unmapped(case: ExceptionCase, errors: Iterable[RefusalError], *, at: datetime) -> None:
    """Each value once, in the transaction of the arrival or of the target's refusal."""
    found = [
        UnmappedValue(
            case=case, kind=error.unmapped.kind, value=error.unmapped.value, on=_day(error.unmapped.on),
            path=error.unmapped.path, seen_at=at,
        )
        for error in errors
        if error.unmapped is not None and error.severity is Severity.ERROR
    ]  # fmt: skip
    if found:
        UnmappedValue.objects.bulk_create(found, ignore_conflicts=True)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
