"""One action on what is ticked: chosen, previewed with the reason of each exception that stays out, and started."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions.bulk_carry import FEW, PATIENCE, carry_on_unless_broken
from exceptions_app.actions.bulk_each import Verdict, judge
from exceptions_app.actions.bulk_start import BulkListChanged, frozen_bulk_hash, start_bulk
from exceptions_app.actions.mover import Invalid
from exceptions_app.bulk_states import KIND_ACTIONS, KIND_WORDS, MOST_ITEMS, MOST_READ, BulkKind
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.case_page import people_within
from exceptions_app.queries.mapping_effect import money_of_cases
from exceptions_app.queries.picks import may_act_on_many, picked, picked_cases, places_of
from exceptions_app.queries.playbooks import holding_among
from exceptions_app.queries.reach import Reach
from exceptions_app.queries.tags import tags_in_use
from exceptions_app.states import TRANSITIONS, Verb
from exceptions_app.views.bulk_forms import MOST_LOOKED_INTO, BulkForm, StartForm, bulk_form, fields_of
from exceptions_app.views.bulk_select import NOTHING_TO_DO_THERE
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replay_batch_forms import ProposeBatchForm
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import shown, told_by

MOST_NAMED = 5  # exceptions beside one reason
MOST_LISTED = 50
_RELATED = ("queue", "entity", "connection", "assignee")


def _page_of_new(request: HttpRequest, ref: str) -> str:  # noqa: ARG001 - as for the pages of one thing
    return reverse("exceptions:bulk_new")


@require_safe
@never_cache
@signed_in
def bulk_new(request: HttpRequest) -> HttpResponse:
    """What is ticked, and what may be done with it. Nothing is written."""
    if not may_act_on_many(reach_for(request)):
        return not_permitted(request, NOTHING_TO_DO_THERE)
    typed = dict(interrupted_at(request, request.path).typed)
    kind = _kind(request, request.GET.get("kind") or typed.get("kind", ""))
    return _page(request, _form(request, kind, initial=typed))


def _offered(reach: Reach) -> list[BulkKind]:
    """What the person may do with at least one exception of some place."""
    verbs = {kind: TRANSITIONS[action].verb for kind, action in KIND_ACTIONS.items()}
    return [kind for kind, verb in verbs.items() if verb is not None and reach.has(verb)]


def _kind(request: HttpRequest, asked: str) -> BulkKind:
    offered = _offered(reach_for(request))
    return next((kind for kind in offered if kind.value == asked), offered[0])


def _form(
    request: HttpRequest,
    kind: BulkKind,
    data: Mapping[str, str] | None = None,
    *,
    initial: Mapping[str, Any] | None = None,
) -> BulkForm:
    cases = picked_cases(person(request), reach_for(request))
    if kind is BulkKind.ASSIGN:
        return bulk_form(kind, data, people=people_within(Verb.CORRECT, *places_of(cases)), initial=initial)
    if kind in (BulkKind.TAG, BulkKind.UNTAG):
        return bulk_form(kind, data, tags=tags_in_use(reach_for(request)), initial=initial)
    if kind is BulkKind.PLAYBOOK:
        choices = [(one.ref, f"{one.code}: {one.ref}, {len(one.steps)} steps") for one in holding_among(cases)]
        return bulk_form(kind, data, choices=choices, initial=initial)
    looked_into = kind is BulkKind.SET_VALUE
    few = cases.select_related("connection").order_by("pk")[:MOST_LOOKED_INTO] if looked_into else cases.none()
    return bulk_form(kind, data, choices=fields_of(few), initial=initial)


def _page(request: HttpRequest, form: BulkForm, *, status: int = 200) -> HttpResponse:
    chosen = picked(person(request), reach_for(request))
    kind = _kind(request, str(form["kind"].value()))
    context = {
        "form": form,
        "chosen": chosen,
        "kind_words": KIND_WORDS[kind],
        "second_person": kind in (BulkKind.PROPOSE, BulkKind.WRITE_OFF),
        "tabs": [
            {
                "label": KIND_WORDS[other],
                "url": f"{reverse('exceptions:bulk_new')}?kind={other.value}",
                "current": other is kind,
                "count": None,
            }
            for other in _offered(reach_for(request))
        ],
    }
    return render(request, "exceptions/bulk_new.html", context, status=status)


@posted_from(_page_of_new)
def bulk_preview(request: HttpRequest, ref: str) -> HttpResponse:  # noqa: ARG001 - as for the pages of one thing
    """How many would be done and how many would not, each with its reason. Nothing is written."""
    if not may_act_on_many(reach_for(request)):
        return not_permitted(request, NOTHING_TO_DO_THERE)
    form = _form(request, _kind(request, request.POST.get("kind", "")), request.POST.dict())
    if not form.is_valid():
        return _page(request, form, status=422)
    return _preview(request, form)


def _preview(request: HttpRequest, form: BulkForm, *, notice: str = "", status: int = 200) -> HttpResponse:
    found = picked_cases(person(request), reach_for(request)).select_related(*_RELATED).order_by("pk")
    instruction = form.instruction()
    try:
        verdicts = judge(list(found[:MOST_ITEMS]), instruction, by=person(request))
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _page(request, form, status=422)
    fit = [verdict.case for verdict in verdicts if not verdict.refusal]
    revisions = {case.pk: case.revision for case in fit}
    context = {
        "instruction": instruction,
        "kind_words": KIND_WORDS[instruction.kind],
        "fit": fit[:MOST_LISTED],
        "number_fit": len(fit),
        "more": max(0, len(fit) - MOST_LISTED),
        "money": money_of_cases(fit),
        "refused": _by_reason(verdict for verdict in verdicts if verdict.refusal),
        "number_refused": len(verdicts) - len(fit),
        "number_later": sum(verdict.later for verdict in verdicts),
        "most_read": MOST_READ,
        "form": form,
        "items": ProposeBatchForm.written(revisions),
        "frozen_sha256": frozen_bulk_hash(instruction, fit, revisions),
        "key": uuid4(),
        "notice": notice,
        "back_url": f"{reverse('exceptions:bulk_new')}?kind={instruction.kind.value}",
    }
    return render(request, "exceptions/bulk_preview.html", context, status=status)


def _by_reason(refused: Iterable[Verdict]) -> Sequence[Mapping[str, Any]]:
    """The reasons, the most frequent first, with the first exceptions of each."""
    grouped: defaultdict[str, list[ExceptionCase]] = defaultdict(list)
    for verdict in refused:
        grouped[verdict.refusal].append(verdict.case)
    rows = sorted(grouped.items(), key=lambda row: -len(row[1]))
    return [
        {"reason": reason, "number": len(cases), "cases": cases[:MOST_NAMED], "more": max(0, len(cases) - MOST_NAMED)}
        for reason, cases in rows
    ]


@posted_from(_page_of_new)
def bulk_start(request: HttpRequest, ref: str) -> HttpResponse:
    if not may_act_on_many(reach_for(request)):
        return not_permitted(request, NOTHING_TO_DO_THERE)
    form = _form(request, _kind(request, request.POST.get("kind", "")), request.POST.dict())
    start = StartForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    if not start.is_valid():
        return _preview(request, form, notice=start.problems, status=422)
    given = start.cleaned_data
    try:
        run = start_bulk(
            form.instruction(), given["items"], by=person(request), at=now(), frozen_sha256=given["frozen_sha256"],
            key=given["key"],
        )  # fmt: skip
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _page(request, form, status=422)
    except BulkListChanged as error:
        return _preview(request, form, notice=told_by(error), status=409)
    forget(request, _page_of_new(request, ref))
    if run.count <= FEW:
        carry_on_unless_broken(run.pk, ends_at=time.monotonic() + PATIENCE)
    return HttpResponseRedirect(reverse("exceptions:bulk_run", args=[run.ref]))
