"""What the comparisons with the targets' own lists came to, as far as a person may see it."""

from collections.abc import Collection
from dataclasses import dataclass

from exceptions_app.models import ExceptionCase
from exceptions_app.queries.reach import Reach, cases_within
from integrations.models import Comparison, ComparisonFinding

MOST_SHOWN = 20
_KINDS = [kind.value for kind in ComparisonFinding.Kind]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A disagreement whose exception is still open."""

    finding: ComparisonFinding
    case: ExceptionCase


def open_alarms(reach: Reach) -> list[Alarm]:
    """The newest of them, for exceptions that the person may see. Two queries."""
    cases = cases_within(reach).open().filter(sub__in=_KINDS).order_by("-id")[:MOST_SHOWN]
    by_subject = {case.subject: case for case in cases}
    found = ComparisonFinding.objects.filter(subject__in=by_subject).select_related("delivery__connection")
    return [Alarm(finding, by_subject[finding.subject]) for finding in found.order_by("-id")[:MOST_SHOWN]]


def newest_comparisons(connections: Collection[int]) -> list[Comparison]:
    """The last run of each connection, by the connection's name. One query."""
    runs = Comparison.objects.filter(connection__in=connections).select_related("connection")
    newest = runs.order_by("connection_id", "-id").distinct("connection_id")
    return sorted(newest, key=lambda run: run.connection.name)
