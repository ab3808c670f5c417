"""A proposed change of a value mapping: what it would change, and the decision of a second person."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh

from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.mapping_decide import approve_mapping, reject_mapping
from exceptions_app.actions.mapping_propose import withdraw_mapping
from exceptions_app.actions.mover import Invalid
from exceptions_app.mapping_states import MappingAction, MappingMoveNotAllowed, MappingState
from exceptions_app.models import MappingProposal, MappingRow
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import value_mappings as reads
from exceptions_app.queries.batch_changes import changes_of
from exceptions_app.queries.batch_standing import batches_within
from exceptions_app.queries.keyset import Direction, Page
from exceptions_app.queries.mapping_effect import Backtest, Rows, backtest_of
from exceptions_app.queries.mapping_standing import MappingPossibility, mapping_possibilities, mapping_standing
from exceptions_app.queries.replay_batches import contents_of, money_of
from exceptions_app.views.addresses import address
from exceptions_app.views.errors import changed_meanwhile, not_permitted
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.listing import page_of
from exceptions_app.views.polling import STATE_SEEN, stops_when_refused
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replies import is_htmx
from exceptions_app.views.scope import person, reach_for
from exceptions_app.views.value_mapping_forms import MAPPING_FORMS
from exceptions_app.wording import NOTHING_WAS_DONE, say, shown, told_by

POLL_EVERY = 3  # seconds, while it is prepared


@dataclass(frozen=True, slots=True)
class MappingButton:
    """One button of the page with its form; or the reason why not."""

    possible: MappingPossibility
    url: str
    form: Form
    is_open: bool = False

    @property
    def allowed(self) -> bool:
        return self.possible.allowed


@require_safe
@never_cache
@vary_on_headers("HX-Request")
@signed_in
@stops_when_refused()
def mapping_proposal(request: HttpRequest, ref: str) -> HttpResponse:
    return _page(request, _visible(request, ref))


def _visible(request: HttpRequest, ref: str) -> MappingProposal:
    found = reads.find_proposal(person(request), ref)
    if found is None:
        raise Http404
    return found


def _url_of(proposal: MappingProposal) -> str:
    return reverse("exceptions:mapping_proposal", args=[proposal.ref])


def _page_of_proposal(request: HttpRequest, ref: str) -> str:
    return _url_of(_visible(request, ref))


def _page(
    request: HttpRequest,
    proposal: MappingProposal,
    *,
    bound: Mapping[MappingAction, Form] | None = None,
    status: int = 200,
) -> HttpResponse:
    notices: list[str] = []
    shown: list[reads.ShownRow] = []

    def read(cursor: str, direction: Direction) -> Page[MappingRow]:
        page, rows = reads.row_page(proposal, cursor=cursor, direction=direction)
        shown[:] = rows
        return page

    page = page_of(request, read, notices)
    mapping = proposal.mapping
    context = {
        "proposal": proposal,
        "mapping": mapping,
        "decision": getattr(proposal, "decision", None),
        "waits": proposal.state == MappingState.AWAITING_APPROVAL,
        "rows": shown,
        **_batch(request, proposal),
        "backtest": _backtest(request, proposal),
        "preparation": reads.preparation_of(proposal, reach_for(request)),
        "poll_every": POLL_EVERY if proposal.state == MappingState.PREPARING else 0,
        "poll_url": address(request, **{STATE_SEEN: proposal.state}),
        "actions": _actions(request, proposal, bound or {}),
        "trail": [
            {"label": gettext("Value mappings"), "url": reverse("exceptions:value_mappings")},
            {"label": mapping.ref, "url": reverse("exceptions:value_mapping", args=[mapping.ref])},
        ],
        "notices": notices,
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    if not is_htmx(request):
        return render(request, "exceptions/mapping_proposal.html", context, status=status)
    if request.GET.get(STATE_SEEN, proposal.state) != proposal.state:
        return HttpResponseClientRefresh()  # what may be done with it is another matter now
    return render(request, "exceptions/_mapping_preparation.html", context)


def _batch(request: HttpRequest, proposal: MappingProposal) -> dict[str, object]:
    """How many go with it, for everybody; their money and what changes in them for whoever sees every one."""
    batch = proposal.batch
    if batch is None or not batches_within(reach_for(request)).filter(pk=batch.pk).exists():
        return {"batch": batch, "contents": None}
    waits = proposal.state == MappingState.AWAITING_APPROVAL
    return {
        "batch": batch,
        "contents": contents_of(batch),
        "money": money_of(batch),
        "changes": changes_of(batch) if waits else None,
        "look_url": reverse("exceptions:batch_look", args=[batch.ref]),
    }


def _backtest(request: HttpRequest, proposal: MappingProposal) -> Backtest | None:
    """Only while it waits: afterwards the rows are among what closed exceptions went with."""
    if proposal.state != MappingState.AWAITING_APPROVAL:
        return None
    mapping = proposal.mapping
    rows = list(proposal.rows.all())
    wanted = Rows(kind=mapping.kind, connection=mapping.connection, entity_id=mapping.entity_id, rows=rows)
    return backtest_of(wanted, reach_for(request))


def _actions(
    request: HttpRequest, proposal: MappingProposal, bound: Mapping[MappingAction, Form]
) -> dict[str, MappingButton]:
    kept = interrupted_at(request, _url_of(proposal))
    found: dict[str, MappingButton] = {}
    for possible in mapping_possibilities(proposal, mapping_standing(proposal.mapping, person(request), proposal)):
        action = possible.action
        typed = dict(kept.typed) if kept.action == action.value else {}
        typed.pop("agreed", None)
        initial = {**typed, "frozen_sha256": proposal.frozen_sha256}
        form = bound.get(action) or MAPPING_FORMS[action](initial=initial, auto_id=f"{action.value}-%s")
        url = reverse(f"exceptions:mapping_{action.value}", args=[proposal.ref])
        found[action.value] = MappingButton(possible, url, form, is_open=action in bound or bool(typed))
    return found


def _carry_out(
    request: HttpRequest, ref: str, action: MappingAction, act: Callable[[MappingProposal, Form], object], done: str
) -> HttpResponse:
    proposal = _visible(request, ref)
    form = MAPPING_FORMS[action](request.POST, auto_id=f"{action.value}-%s")
    if not form.is_valid():
        return _page(request, proposal, bound={action: form}, status=422)
    try:
        act(proposal, form)
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _page(request, proposal, bound={action: form}, status=422)
    except NotPermitted as error:
        return not_permitted(request, error.reason)
    except (ApprovalNoLongerHolds, MappingMoveNotAllowed) as error:
        return changed_meanwhile(request, told_by(error, NOTHING_WAS_DONE), back_url=_url_of(proposal))
    forget(request, _url_of(proposal))
    messages.success(request, shown(say(done, ref=proposal.ref)))
    return HttpResponseRedirect(_url_of(proposal))


@posted_from(_page_of_proposal)
def approve(request: HttpRequest, ref: str) -> HttpResponse:
    def act(proposal: MappingProposal, form: Form) -> object:
        given = form.cleaned_data
        return approve_mapping(
            proposal.pk, by=person(request), at=now(), frozen_sha256=given["frozen_sha256"], because=given["because"]
        )

    return _carry_out(
        request, ref, MappingAction.APPROVE, act, gettext_noop("{ref} is approved. Its rows hold from now on.")
    )


@posted_from(_page_of_proposal)
def reject(request: HttpRequest, ref: str) -> HttpResponse:
    def act(proposal: MappingProposal, form: Form) -> object:
        given = form.cleaned_data
        return reject_mapping(
            proposal.pk, by=person(request), at=now(), frozen_sha256=given["frozen_sha256"], because=given["because"]
        )

    return _carry_out(
        request, ref, MappingAction.REJECT, act, gettext_noop("{ref} is rejected. What holds stays as it is.")
    )


@posted_from(_page_of_proposal)
def withdraw(request: HttpRequest, ref: str) -> HttpResponse:
    def act(proposal: MappingProposal, form: Form) -> object:
        return withdraw_mapping(proposal.pk, by=person(request), at=now(), because=form.cleaned_data["because"])

    return _carry_out(request, ref, MappingAction.WITHDRAW, act, gettext_noop("{ref} is withdrawn."))
