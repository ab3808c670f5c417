"""Erasure on request of what is held about one counterparty: asked for, looked at, and decided on by another."""

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from exceptions_app.actions import erasures
from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.retention import NOT_PERMITTED, may_keep_retention
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import REASON_LENGTH
from exceptions_app.models import ErasureRequest
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.erasures import Concerned, concerned, live_requests, past_requests
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import begin_again, forget, signed_in
from exceptions_app.views.kept_rules import DONE
from exceptions_app.views.listing import unknown_names
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person
from exceptions_app.wording import say, shown, told_by

MOVES = ("approve", "reject", "withdraw")


def _reason() -> ActionCheckedField:
    return ActionCheckedField(
        label=gettext_lazy("Reason"), max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2})
    )


class ErasureForm(forms.Form):
    use_required_attribute = False
    counterparty = forms.CharField(
        label=gettext_lazy("Counterparty"),
        max_length=200,
        help_text=gettext_lazy("Its name or a number of it, by which exceptions are found."),
    )
    because = _reason()

    def __init__(self, data: QueryDict | None) -> None:
        super().__init__(data, auto_id="erasure-%s")
        self.fields["because"].help_text = gettext_lazy("Who asked and when, without the name: it is kept for ever.")


class ErasureMoveForm(forms.Form):
    """Approve, reject or withdraw one request. `request` is its number, so that one address serves for all."""

    use_required_attribute = False
    request = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**62)
    move = forms.ChoiceField(choices=[(one, one) for one in MOVES])
    frozen_sha256 = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    because = _reason()

    def __init__(self, data: QueryDict | None, *, row: ErasureRequest | None = None) -> None:
        number = row.pk if row else data.get("request", "") if data else ""
        initial = {"request": row.pk, "frozen_sha256": row.frozen_sha256} if row else {}
        super().__init__(data, auto_id=f"erasure-{number}-%s", initial=initial)


@dataclass(frozen=True, slots=True)
class Shown:
    """A request, what it is about, and the form of what the reader may do with it."""

    row: ErasureRequest
    concerned: Concerned
    form: ErasureMoveForm | None
    is_mine: bool


@require_safe
@signed_in
def requests(request: HttpRequest) -> HttpResponse:
    if not may_keep_retention(person(request)):
        return not_permitted(request, NOT_PERMITTED)
    return _show(request)


def _page(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:erasures")


@posted_from(_page)
def erasure_propose(request: HttpRequest, _ref: str) -> HttpResponse:
    if not may_keep_retention(person(request)):
        raise NotPermitted(NOT_PERMITTED)
    form = ErasureForm(request.POST)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            row = erasures.propose_erasure(
                typed["counterparty"], by=person(request), at=now(), because=typed["because"]
            )
        except Invalid as error:
            form.add_error(error.field, shown(error.problem))
        else:
            forget(request, _page(request, None))
            messages.success(request, shown(say("{ref} is proposed. Someone else decides now.", ref=row.ref)))
            return HttpResponseRedirect(_page(request, None))
    return _show(request, form=form, status=422)


@posted_from(_page)
def erasure_move(request: HttpRequest, _ref: str) -> HttpResponse:
    if not may_keep_retention(person(request)):
        raise NotPermitted(NOT_PERMITTED)
    form = ErasureMoveForm(request.POST)
    status = 422
    if form.is_valid():
        try:
            row = _moved(request, form)
        except Invalid as error:
            form.add_error("because", shown(error.problem))
        except NotPermitted as error:
            form.add_error(None, shown(error.reason))
            status = 403
        except ApprovalNoLongerHolds as error:
            form.add_error(None, told_by(error))
            status = 409
        except ErasureRequest.DoesNotExist:
            form.add_error(None, gettext_lazy("There is no such request."))
        else:
            forget(request, _page(request, None))
            messages.success(request, shown(say("{ref} {done}.", ref=row.ref, done=DONE[form.cleaned_data["move"]])))
            return HttpResponseRedirect(_page(request, None))
    return _show(request, move_form=form, status=status)


def _moved(request: HttpRequest, form: ErasureMoveForm) -> ErasureRequest:
    typed, by, at = form.cleaned_data, person(request), now()
    number, because, shown = typed["request"], typed["because"], typed["frozen_sha256"]
    match typed["move"]:
        case "approve":
            return erasures.approve_erasure(number, by=by, at=at, frozen_sha256=shown, because=because)
        case "reject":
            return erasures.reject_erasure(number, by=by, at=at, frozen_sha256=shown, because=because)
        case _:
            return erasures.withdraw_erasure(number, by=by, at=at, because=because)


def _show(
    request: HttpRequest, *, form: ErasureForm | None = None, move_form: ErasureMoveForm | None = None,
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    about = concerned()
    proposing = form or ErasureForm(None)
    begin_again(request, proposing, _page(request, None), sent_to="new")
    context = {
        "live": [_shown(request, row, about.get(row.pk), move_form) for row in live_requests()],
        "past": past_requests(),
        "form": proposing,
        "refused_form": form or move_form,
        "at": now(),
        "notices": unknown_names(request, {}),
    }
    return render(request, "exceptions/erasures.html", context, status=status)


def _shown(
    request: HttpRequest, row: ErasureRequest, about: Concerned | None, refused: ErasureMoveForm | None
) -> Shown:
    """The form that was refused or interrupted is shown as it was typed, where its row is."""
    is_mine = row.proposer_id == person(request).pk
    form = None
    if row.state == ErasureRequest.State.PROPOSED:
        is_refused = refused is not None and refused.data.get("request") == str(row.pk)
        form = refused if is_refused and refused is not None else ErasureMoveForm(None, row=row)
        begin_again(request, form, _page(request, None), sent_to="move", about=("request", row.pk))
        form.fields["because"].help_text = (
            gettext_lazy("Not needed to withdraw it.") if is_mine else gettext_lazy("Needed to reject it.")
        )
    return Shown(row, about or Concerned(0, 0, 0, 0), form, is_mine)
