"""Retention: how long what closed exceptions hold is kept, who wants it otherwise, and what may not be erased."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_safe

from exceptions_app.actions import legal_holds, retention
from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import LegalEntity, LegalHold, RetentionPolicy
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.erasures import number_named
from exceptions_app.queries.retention import holds_for, newest_runs, policies_for
from exceptions_app.views.interrupted import begin_again, forget, signed_in
from exceptions_app.views.kept_rules import DONE
from exceptions_app.views.listing import unknown_names
from exceptions_app.views.posted import posted_from
from exceptions_app.views.retention_forms import HoldForm, LiftForm, PolicyForm, PolicyMoveForm
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say, shown, together, told_by


@dataclass(frozen=True, slots=True)
class Shown:
    """A policy or a hold with the form of what the reader may do with it. `is_mine`: another one decides."""

    row: RetentionPolicy | LegalHold
    form: Form | None
    is_mine: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The form that was refused, as it was typed."""

    form: Form | None = None
    status: int = 200


@require_safe
@signed_in
def policies(request: HttpRequest) -> HttpResponse:
    return _show(request, Refused())


def _page(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:retention")


@posted_from(_page)
def policy_propose(request: HttpRequest, _ref: str) -> HttpResponse:
    _require_keeper(request)
    form = PolicyForm(request.POST, entities=_entities())

    def carry_out() -> str:
        policy = retention.propose_policy(
            form.asked(), by=person(request), at=now(), because=form.cleaned_data["because"]
        )
        return shown(say("{ref} is proposed. Someone else decides now.", ref=policy.ref))

    return _carried_out(request, form, carry_out)


@posted_from(_page)
def policy_move(request: HttpRequest, _ref: str) -> HttpResponse:
    _require_keeper(request)
    form = PolicyMoveForm(request.POST)
    return _carried_out(request, form, lambda: _moved(request, form))


def _how_many(hold: LegalHold) -> str:
    """A hold on a name that nobody has keeps nothing, so that it has to be said at once."""
    if not hold.counterparty:
        return ""
    match number_named(hold):
        case 0:
            return say("No exception has this name or number so far: see whether it is written as there.")
        case 1:
            return say("It is about 1 exception so far.")
        case number:
            return say("It is about {number} exceptions so far.", number=f"{number:,}")


@posted_from(_page)
def hold_place(request: HttpRequest, _ref: str) -> HttpResponse:
    _require_keeper(request)
    form = HoldForm(request.POST, entities=_entities())

    def carry_out() -> str:
        hold = legal_holds.place_hold(
            **form.named(), by=person(request), at=now(), because=form.cleaned_data["because"]
        )
        placed = say("{ref} is placed. Nothing of it is erased until someone else lifts it.", ref=hold.ref)
        return shown(together(placed, _how_many(hold)))

    return _carried_out(request, form, carry_out)


@posted_from(_page)
def hold_lift(request: HttpRequest, _ref: str) -> HttpResponse:
    _require_keeper(request)
    form = LiftForm(request.POST)

    def carry_out() -> str:
        typed = form.cleaned_data
        hold = legal_holds.lift_hold(typed["hold"], by=person(request), at=now(), because=typed["because"])
        return shown(say("{ref} is lifted.", ref=hold.ref))

    return _carried_out(request, form, carry_out)


def _moved(request: HttpRequest, form: Form) -> str:
    typed, signed = form.cleaned_data, {"by": person(request), "at": now(), "because": form.cleaned_data["because"]}
    number, seen = typed["policy"], typed["frozen_sha256"]
    match typed["move"]:
        case "approve":
            policy = retention.approve_policy(number, frozen_sha256=seen, **signed)
        case "reject":
            policy = retention.reject_policy(number, frozen_sha256=seen, **signed)
        case "withdraw":
            policy = retention.withdraw_policy(number, **signed)
        case _:
            policy = retention.propose_end(number, **signed)
    return shown(say("{ref} {done}.", ref=policy.ref, done=DONE[typed["move"]]))


def _require_keeper(request: HttpRequest) -> None:
    if not retention.may_keep_retention(person(request)):
        raise NotPermitted(retention.NOT_PERMITTED)


def _entities() -> list[LegalEntity]:
    return list(LegalEntity.objects.order_by("name"))


def _carried_out(request: HttpRequest, form: Form, carry_out: Callable[[], str]) -> HttpResponse:
    """Back to the page with what was done, or the page with the form as it was typed and why not."""
    status = 422
    if form.is_valid():
        try:
            done = carry_out()
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        except NotPermitted as error:
            form.add_error(None, shown(error.reason))
            status = 403
        except ApprovalNoLongerHolds as error:
            form.add_error(None, told_by(error))
            status = 409
        except (RetentionPolicy.DoesNotExist, LegalHold.DoesNotExist):
            form.add_error(None, gettext_lazy("There is no such policy or hold."))
        else:
            forget(request, _page(request, None))
            messages.success(request, done)
            return HttpResponseRedirect(_page(request, None))
    return _show(request, Refused(form, status))


def _show(request: HttpRequest, refused: Refused) -> HttpResponse:
    keeps = retention.may_keep_retention(person(request))
    reach = reach_for(request)
    found, holds = policies_for(reach, keeps=keeps), holds_for(reach, keeps=keeps)

    def shown(rows: Sequence[RetentionPolicy | LegalHold]) -> list[Shown]:
        return [_shown(request, row, refused.form, keeps=keeps) for row in rows]

    context = {
        "waiting": shown(found.waiting),
        "in_force": shown(found.in_force),
        "past": found.past,
        "holds": shown(holds.standing),
        "lifted": holds.lifted,
        "runs": newest_runs(keeps=keeps),
        "keeps": keeps,
        "administers": person(request).is_staff,
        **_forms(request, refused.form, keeps=keeps),
        "refused_form": refused.form,
        "at": now(),
        "notices": unknown_names(request, {}),
    }
    return render(request, "exceptions/retention.html", context, status=refused.status)


def _forms(request: HttpRequest, refused: Form | None, *, keeps: bool) -> dict[str, Any]:
    """As they were typed, when they were refused or interrupted."""
    if not keeps:
        return {"form": None, "hold_form": None}
    entities, page = _entities(), _page(request, None)
    form = refused if isinstance(refused, PolicyForm) else PolicyForm(None, entities=entities)
    hold_form = refused if isinstance(refused, HoldForm) else HoldForm(None, entities=entities)
    begin_again(request, form, page, sent_to="new")
    begin_again(request, hold_form, page, sent_to="holds")
    return {"form": form, "hold_form": hold_form}


def _shown(request: HttpRequest, row: RetentionPolicy | LegalHold, refused: Form | None, *, keeps: bool) -> Shown:
    """The form that was refused or interrupted is shown as it was typed, where its row is."""
    is_hold = isinstance(row, LegalHold)
    is_mine = (row.placed_by_id if isinstance(row, LegalHold) else row.proposer_id) == person(request).pk
    if not keeps or (is_hold and is_mine):
        return Shown(row, None, is_mine)
    kind, name = (LiftForm, "hold") if is_hold else (PolicyMoveForm, "policy")
    if isinstance(refused, kind) and refused.data.get(name) == str(row.pk):
        form: Form = refused
    else:
        form = LiftForm(None, hold=row) if isinstance(row, LegalHold) else PolicyMoveForm(None, policy=row)
    sent_to = "holds/lift" if is_hold else "move"
    begin_again(request, form, _page(request, None), sent_to=sent_to, about=(name, row.pk))
    if isinstance(row, RetentionPolicy):
        form.fields["because"].help_text = _when_needed(row, is_mine=is_mine)
    return Shown(row, form, is_mine)


def _when_needed(policy: RetentionPolicy, *, is_mine: bool) -> str:
    if policy.state == RetentionPolicy.State.IN_FORCE:
        return gettext("Needed to end it. Another one for the same is proposed below, and takes its place.")
    return gettext("Not needed to withdraw it.") if is_mine else gettext("Needed to reject it.")
