"""How long exceptions of one cause took, from those that are closed."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Aggregate, Count, DurationField, F, QuerySet

from exceptions_app.models import Cause, ExceptionCase

FEWEST = 5
"""With fewer closed ones nothing is said about the next."""
MOST_READ = 200  # the newest closed ones: what took how long years ago says little


class _Percentile(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()

    def __init__(self, expression: str, *, share: float) -> None:
        super().__init__(expression, share=str(share))


@dataclass(frozen=True, slots=True)
class History:
    """Of the newest closed exceptions of a cause: how many, and how long half and nine in ten of them took at most."""

    count: int
    median: timedelta
    ninetieth: timedelta


def _causes_of(case: ExceptionCase) -> QuerySet[Cause, int]:
    return Cause.objects.one_with(case.cause).values_list("pk", flat=True)


def history_of(case: ExceptionCase) -> History | None:
    """From opening to closing; None when there are fewer than FEWEST. One query.

    It counts every exception of the cause, whoever may see it: a cause is shared, and a span of time tells of none.
    """
    closed = ExceptionCase.objects.filter(cause__in=_causes_of(case), closed_at__isnull=False).exclude(pk=case.pk)
    newest = closed.annotate(took=F("closed_at") - F("opened_at")).order_by("-closed_at")[:MOST_READ]
    found = newest.aggregate(
        count=Count("pk"), median=_Percentile("took", share=0.5), ninetieth=_Percentile("took", share=0.9)
    )
    if found["count"] < FEWEST:
        return None
    return History(found["count"], found["median"], found["ninetieth"])
