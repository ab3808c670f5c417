"""Batches of replays: the list, one batch with its decision and its progress, and what a person may do with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

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

from audit.queries import timeline
from exceptions_app.actions.batch_decide import (
    approve_batch,
    cancel_batch,
    reject_batch,
    resume_batch,
    suspend_batch,
)
from exceptions_app.actions.batch_look import look_at
from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.mover import Invalid
from exceptions_app.batch_states import ITEM_WORDS, LIVE, BatchAction, BatchMoveNotAllowed, BatchState, ItemState
from exceptions_app.models import BatchItem, ReplayBatch
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import replay_batches as reads
from exceptions_app.queries.batch_changes import changes_of
from exceptions_app.queries.batch_standing import (
    BatchPossibility,
    batch_possibilities,
    batches_within,
    standing_on,
)
from exceptions_app.queries.case_page import full_names
from exceptions_app.states import Verb
from exceptions_app.views.addresses import address
from exceptions_app.views.audit_words import in_words
from exceptions_app.views.errors import changed_meanwhile, not_permitted
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.listing import page_of
from exceptions_app.views.polling import STATE_SEEN, stops_when_refused
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replay_batch_forms import BATCH_FORMS
from exceptions_app.views.replies import is_htmx
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import NOTHING_WAS_DONE, say, shown, told_by

POLL_EVERY = 3  # seconds, while something of it moves
MOST_EVENTS = 30
_LIVE, _ALL = "live", "all"


@require_safe
@never_cache
@signed_in
def batches(request: HttpRequest) -> HttpResponse:
    """Batches of which the person may see every item, newest first."""
    notices: list[str] = []
    shown = request.GET.get("show", _LIVE)
    states = [] if shown == _ALL else sorted(LIVE)
    page = page_of(
        request,
        lambda cursor, direction: reads.batch_page(
            reach_for(request), states=states, cursor=cursor, direction=direction
        ),
        notices,
    )
    context = {
        "rows": reads.rows_of_batches(page.rows),
        "shows_all": shown == _ALL,
        "tabs": [
            {
                "label": gettext("Not over yet"),
                "url": address(request, show=""),
                "current": shown != _ALL,
                "count": None,
            },
            {"label": gettext("All"), "url": address(request, show=_ALL), "current": shown == _ALL, "count": None},
        ],
        "notices": notices,
        "at": now(),
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/replay_batches.html", context)


@dataclass(frozen=True, slots=True)
class BatchItemAction:
    """One button of the page with its form; or the reason why not."""

    possible: BatchPossibility
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
def batch(request: HttpRequest, ref: str) -> HttpResponse:
    return _page(request, _visible(request, ref))


def _visible(request: HttpRequest, ref: str) -> ReplayBatch:
    found = reads.find_batch(person(request), ref, reach_for(request))
    if found is None:
        raise Http404
    return found


def _url_of(batch: ReplayBatch) -> str:
    return reverse("exceptions:batch", args=[batch.ref])


def _page_of_batch(request: HttpRequest, ref: str) -> str:
    return _url_of(_visible(request, ref))


def _page(
    request: HttpRequest, batch: ReplayBatch, *, bound: Mapping[BatchAction, Form] | None = None, status: int = 200
) -> HttpResponse:
    notices: list[str] = []
    wanted = request.GET.get("items", "")
    wanted = wanted if wanted in list(ItemState) else ""
    page = page_of(
        request,
        lambda cursor, direction: reads.item_page(batch, state=wanted, cursor=cursor, direction=direction),
        notices,
    )
    progress = reads.progress_of([batch])[batch.pk]
    moves = batch.state == BatchState.RUNNING or progress.under_way > 0
    context = {
        "batch": batch,
        "money": reads.money_of(batch),
        "progress": progress,
        "contents": reads.contents_of(batch),
        "changes": changes_of(batch) if batch.state == BatchState.AWAITING_APPROVAL else None,
        "look_url": reverse("exceptions:batch_look", args=[batch.ref]),
        "kinds": reads.kinds_of_error(batch),
        "decision": reads.decision_on(batch),
        "pack_key": str(uuid4()) if _may_make_pack(request, batch) else "",
        "items": page.rows,
        "tabs": _tabs(request, progress, wanted),
        "wanted": wanted,
        "actions": _actions(request, batch, bound or {}),
        "events": _events(batch),
        "notices": notices,
        "at": now(),
        "poll_every": POLL_EVERY if moves and not bound else 0,
        "poll_url": address(request, **{STATE_SEEN: batch.state}, after=request.GET.get("after", "")),
        "next_url": _address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": _address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    if not is_htmx(request):
        return render(request, "exceptions/replay_batch.html", context, status=status)
    if request.GET.get(STATE_SEEN, batch.state) != batch.state:
        return HttpResponseClientRefresh()  # what may be done with it is another matter now
    return render(request, "exceptions/_replay_batch_progress.html", context)


def _may_make_pack(request: HttpRequest, batch: ReplayBatch) -> bool:
    """Its button is of the whole page; a query for who may read the trail of anything."""
    reach = reach_for(request)
    if is_htmx(request) or not reach.has(Verb.EXPORT):
        return False
    return batches_within(reach, Verb.EXPORT).filter(pk=batch.pk).exists()


def _address(request: HttpRequest, **changes: str) -> str:
    """The page with something changed, without what only a refresh asks."""
    return address(request, **{STATE_SEEN: ""}, **changes)


def _tabs(request: HttpRequest, progress: reads.Progress, wanted: str) -> list[dict[str, Any]]:
    tabs = [
        {"label": gettext("All"), "url": _address(request, items=""), "current": not wanted, "count": progress.count}
    ]
    return tabs + [
        {
            "label": words.capitalize(),
            "url": _address(request, items=state.value),
            "current": state == wanted,
            "count": progress.of(state),
        }
        for state, words in ITEM_WORDS.items()
        if progress.of(state) or state == wanted
    ]


def _actions(request: HttpRequest, batch: ReplayBatch, bound: Mapping[BatchAction, Form]) -> dict[str, BatchItemAction]:
    kept = interrupted_at(request, _url_of(batch))
    found: dict[str, BatchItemAction] = {}
    for possible in batch_possibilities(batch, standing_on(batch, person(request))):
        action = possible.action
        typed = dict(kept.typed) if kept.action == action.value else {}
        typed.pop("agreed", None)
        initial = {**typed, "frozen_sha256": batch.frozen_sha256}
        form = bound.get(action) or BATCH_FORMS[action](initial=initial, auto_id=f"{action.value}-%s")
        url = reverse(f"exceptions:batch_{action.value}", args=[batch.ref])
        found[action.value] = BatchItemAction(possible, url, form, is_open=action in bound or bool(typed))
    return found


def _events(batch: ReplayBatch) -> list[dict[str, Any]]:
    """The newest first."""
    events = list(timeline(batch.subject))[::-1][:MOST_EVENTS]
    names = full_names({event.actor for event in events})
    return [
        {
            "at": event.at,
            "actor": names.get(event.actor, event.actor),
            "words": in_words(event.action),
            "summary": event.summary,
            "because": event.because,
        }
        for event in events
    ]


def _carry_out(
    request: HttpRequest, ref: str, action: BatchAction, act: Callable[[ReplayBatch, Form], object], done: str
) -> HttpResponse:
    batch = _visible(request, ref)
    form = BATCH_FORMS[action](request.POST, auto_id=f"{action.value}-%s")
    if not form.is_valid():
        return _page(request, batch, bound={action: form}, status=422)
    try:
        act(batch, form)
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _page(request, batch, bound={action: form}, status=422)
    except NotPermitted as error:
        return not_permitted(request, error.reason)
    except (ApprovalNoLongerHolds, BatchMoveNotAllowed) as error:
        return changed_meanwhile(request, told_by(error, NOTHING_WAS_DONE), back_url=_url_of(batch))
    forget(request, _url_of(batch))
    messages.success(request, shown(say(done, ref=batch.ref)))
    return HttpResponseRedirect(_url_of(batch))


@posted_from(_page_of_batch)
def look(request: HttpRequest, ref: str) -> HttpResponse:
    """Open an item from the page of the decision, and note that it was."""
    batch = _visible(request, ref)
    try:
        item = look_at(batch.pk, int(request.POST.get("item", "")), by=person(request), at=now())
    except (ValueError, BatchItem.DoesNotExist):
        raise Http404 from None
    return HttpResponseRedirect(reverse("exceptions:case", args=[item.case.ref]))


@posted_from(_page_of_batch)
def approve(request: HttpRequest, ref: str) -> HttpResponse:
    def act(batch: ReplayBatch, form: Form) -> object:
        given = form.cleaned_data
        return approve_batch(
            batch.pk, by=person(request), at=now(), frozen_sha256=given["frozen_sha256"], because=given["because"]
        )

    done = gettext_noop("{ref} is approved. The first item goes alone; the others follow step by step.")
    return _carry_out(request, ref, BatchAction.APPROVE, act, done)


@posted_from(_page_of_batch)
def reject(request: HttpRequest, ref: str) -> HttpResponse:
    def act(batch: ReplayBatch, form: Form) -> object:
        given = form.cleaned_data
        return reject_batch(
            batch.pk, by=person(request), at=now(), frozen_sha256=given["frozen_sha256"], because=given["because"]
        )

    return _carry_out(
        request, ref, BatchAction.REJECT, act, gettext_noop("{ref} is rejected. Its exceptions go back to work.")
    )


def _with_reason(
    request: HttpRequest, ref: str, action: BatchAction, change: Callable[..., ReplayBatch], done: str
) -> HttpResponse:
    def act(batch: ReplayBatch, form: Form) -> object:
        return change(batch.pk, by=person(request), at=now(), because=form.cleaned_data["because"])

    return _carry_out(request, ref, action, act, done)


@posted_from(_page_of_batch)
def suspend(request: HttpRequest, ref: str) -> HttpResponse:
    done = gettext_noop("{ref} is suspended. What is under way comes to its end; nothing else is begun.")
    return _with_reason(request, ref, BatchAction.SUSPEND, suspend_batch, done)


@posted_from(_page_of_batch)
def resume(request: HttpRequest, ref: str) -> HttpResponse:
    done = gettext_noop("{ref} goes on, the next item alone.")
    return _with_reason(request, ref, BatchAction.RESUME, resume_batch, done)


@posted_from(_page_of_batch)
def cancel(request: HttpRequest, ref: str) -> HttpResponse:
    done = gettext_noop("{ref} is cancelled. What was not sent goes back to work.")
    return _with_reason(request, ref, BatchAction.CANCEL, cancel_batch, done)
