"""What the comparisons with the targets' own lists came to, as far as a person may see it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet

from exceptions_app.models import ExceptionCase
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.queries.effects import number_after
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import OPEN_STATES
from integrations.models import Comparison, ComparisonFinding

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Alarm:
    """A disagreement, and the exception about it."""

    finding: ComparisonFinding
    case: ExceptionCase


def open_alarms(reach: Reach) -> list[Alarm]:
    """The newest of those whose exception is still open and may be seen. Two queries."""
    return with_cases(findings_within(reach, is_open=True).order_by("-id")[:MOST_SHOWN])


def findings_within(reach: Reach, *, slug: str = "", is_open: bool | None = None) -> QuerySet[ComparisonFinding]:
    """Those about exceptions that the person may see; of one connection, and open or closed ones only, where asked."""
    cases = cases_within(reach)
    if is_open is not None:
        cases = cases.open() if is_open else cases.exclude(state__in=sorted(OPEN_STATES))
    found = ComparisonFinding.objects.annotate(case_number=number_after(f"case:{REF_PREFIX}"))
    found = found.filter(Exists(cases.filter(pk=OuterRef("case_number"))))
    if slug:
        found = found.filter(comparison__connection__slug=slug)
    return found.select_related("comparison", "delivery__connection")


def with_cases(findings: QuerySet[ComparisonFinding] | Sequence[ComparisonFinding]) -> list[Alarm]:
    """Of `findings_within`; one query for all of their exceptions."""
    annotated: list[Any] = list(findings)  # with the number of its exception, of which the stubs do not know
    cases = ExceptionCase.objects.in_bulk({finding.case_number for finding in annotated})
    return [Alarm(finding, cases[finding.case_number]) for finding in annotated]


def comparisons_of(connections: Collection[int], *, slug: str = "") -> QuerySet[Comparison]:
    """Each with `new_findings`: how many disagreements it was the first to find."""
    found = Comparison.objects.filter(connection__in=connections).select_related("connection")
    if slug:
        found = found.filter(connection__slug=slug)
    return found.annotate(new_findings=Count("findings"))


def newest_comparisons(connections: Collection[int]) -> list[Comparison]:
    """The last run of each connection, by the connection's name. One query."""
    runs = Comparison.objects.filter(connection__in=connections).select_related("connection")
    newest = runs.order_by("connection_id", "-id").distinct("connection_id")
    return sorted(newest, key=lambda run: run.connection.name)
