"""Proposing a batch: what a list of exceptions would become, item by item, and the form that freezes it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions.batch_propose import Candidate, ItemsRefused, ListChanged, judge, propose_batch
from exceptions_app.actions.mover import Invalid
from exceptions_app.batch_states import MOST_ITEMS, plan_of
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.reach import cases_within
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.listing import QueueFilter, chips_of
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replay_batch_forms import ProposeBatchForm
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say, shown, told_by

MOST_NAMED = 5  # exceptions beside one reason
_RELATED = ("queue", "entity", "connection", "assignee", "cause")


@require_safe
@never_cache
@signed_in
def batch_new(request: HttpRequest) -> HttpResponse:
    """What the list of exceptions that the address asks for would become as a batch. Nothing is written."""
    reach = reach_for(request)
    chosen = QueueFilter(request.GET, cases_within(reach), request=request, reach=reach)
    found = chosen.qs.select_related(*_RELATED).order_by("pk")
    cases = list(found[: MOST_ITEMS + 1])
    typed = dict(interrupted_at(request, request.path).typed)
    if typed.get("items"):
        cases = _cases_of(request, ProposeBatchForm(typed))
    beyond = len(cases) > MOST_ITEMS
    extra = {"chips": chips_of(request, chosen), "beyond": found.count() if beyond else 0}
    return _preview(request, cases[:MOST_ITEMS], typed=typed, extra=extra)


def _cases_of(request: HttpRequest, form: ProposeBatchForm) -> list[ExceptionCase]:
    """The exceptions that a form names, those that the person may see."""
    form.is_valid()
    named = form.cleaned_data.get("items", {})
    visible = cases_within(reach_for(request)).select_related(*_RELATED)
    return list(visible.filter(pk__in=list(named)[: MOST_ITEMS + 1]).order_by("pk"))


def _preview(
    request: HttpRequest,
    cases: Sequence[ExceptionCase],
    *,
    form: ProposeBatchForm | None = None,
    typed: dict[str, str] | None = None,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    candidates = judge(cases, by=person(request))
    fit = [found for found in candidates if not found.refusal]
    revisions = {found.case.pk: found.case.revision for found in fit}
    written = ProposeBatchForm.written(revisions)
    if form is None:
        form = ProposeBatchForm(initial={**(typed or {}), "items": written})
    else:
        form.data = {**form.data, "items": written}
    context = {
        "fit": fit,
        "refused": _by_reason(found for found in candidates if found.refusal),
        "number_refused": len(candidates) - len(fit),
        "money": _money(found.case for found in fit),
        "connection": fit[0].case.connection if fit else None,
        "steps": plan_of(len(fit)),
        "form": form,
        "left_out": set(request.POST.getlist("leave_out")),
        "most": MOST_ITEMS,
        **(extra or {}),
    }
    return render(request, "exceptions/replay_batch_new.html", context, status=status)


def _by_reason(refused: Iterable[Candidate]) -> list[dict[str, Any]]:
    """The reasons, the most frequent first, with the first exceptions of each."""
    grouped: defaultdict[str, list[ExceptionCase]] = defaultdict(list)
    for found in refused:
        grouped[found.refusal].append(found.case)
    rows = sorted(grouped.items(), key=lambda row: -len(row[1]))
    return [
        {"reason": reason, "number": len(cases), "cases": cases[:MOST_NAMED], "more": max(0, len(cases) - MOST_NAMED)}
        for reason, cases in rows
    ]


def _money(cases: Iterable[ExceptionCase]) -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for case in cases:
        if case.amount is not None:
            sums[case.currency] += case.amount
    return dict(sums)


def _page_of_new(request: HttpRequest, ref: str) -> str:  # noqa: ARG001 - as for the pages of one thing
    return reverse("exceptions:batch_new")


@posted_from(_page_of_new)
def batch_propose(request: HttpRequest, ref: str) -> HttpResponse:
    form = ProposeBatchForm(request.POST.dict())
    if not form.is_valid():
        return _preview(request, _cases_of(request, form), form=form, status=422)
    left_out = {int(number) for number in request.POST.getlist("leave_out") if number.isascii() and number.isdigit()}
    seen = {number: revision for number, revision in form.cleaned_data["items"].items() if number not in left_out}
    visible = cases_within(reach_for(request)).filter(pk__in=list(seen)[: MOST_ITEMS + 1])
    try:
        batch = propose_batch(
            visible.values_list("pk", flat=True), by=person(request), at=now(), because=form.cleaned_data["because"],
            failure_limit=form.cleaned_data["failure_limit"], revisions=seen,
        )  # fmt: skip
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _preview(request, _cases_of(request, form), form=form, status=422)
    except (ItemsRefused, ListChanged) as error:
        form.add_error(None, told_by(error))
        return _preview(request, _cases_of(request, form), form=form, status=409)
    forget(request, _page_of_new(request, ref))
    messages.success(request, shown(say("{ref} is proposed. It waits for somebody else's decision.", ref=batch.ref)))
    return HttpResponseRedirect(reverse("exceptions:batch", args=[batch.ref]))
