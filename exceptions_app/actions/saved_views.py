"""Keeping a list under a name: save, change, share, pin, delete. What others work by leaves an event of each change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.http import QueryDict

from audit import log
from exceptions_app.actions.mover import Invalid
from exceptions_app.list_layout import MOST_CHARACTERS, canonical_query
from exceptions_app.models import PinnedView, Queue, SavedView
from exceptions_app.models.saved_view import LONGEST_NAME
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.queries.saved_views import may_share_with_everyone, pins_within, queues_to_share_with, views_for
from exceptions_app.wording import say

MOST_VIEWS = 50  # of one person
MOST_PINNED = 8  # of one person: each is counted whenever they look at a list
SCOPE = "configuration"
_SHARING = SavedView.Sharing


@dataclass(frozen=True, slots=True)
class SharedWith:
    """Who has a view before them. `queue` goes with `QUEUE` alone."""

    sharing: SavedView.Sharing = _SHARING.OWNER
    queue: Queue | None = None


ONLY_ME = SharedWith()
EVERYONE = SharedWith(_SHARING.EVERYONE)


@transaction.atomic
def save_view(
    name: str, query: str, *, by: AbstractUser, at: datetime, shared_with: SharedWith = ONLY_ME, pinned: bool = False
) -> SavedView:
    """Keep the address of a list under a name. Raises Invalid, NotPermitted."""
    name, query = _name(name), _query(query)
    _require_sharing(shared_with, by)
    if SavedView.objects.filter(owner=by.pk).count() >= MOST_VIEWS:
        raise Invalid(
            "name",
            say(
                "You have {most_views} views, which is as many as one person keeps. Delete one first.",
                most_views=MOST_VIEWS,
            ),
        )
    view = SavedView(
        owner_id=by.pk, name=name, query=query, sharing=shared_with.sharing, queue=shared_with.queue,
        created_at=at, changed_at=at,
    )  # fmt: skip
    _store(view)
    if view.is_shared:
        _record(view, "view.shared", by=by, at=at, summary=f"{by} shared the view “{view}” with {_whom(view)}.")
    if pinned:
        pin(view.pk, by=by)
    return view


@transaction.atomic
def change_view(
    view_id: int,
    *,
    by: AbstractUser,
    at: datetime,
    name: str | None = None,
    query: str | None = None,
    shared_with: SharedWith | None = None,
) -> SavedView:
    """Another name, another list, or other readers; what is None stays. For its owner.

    What stays shared is changed for its readers, so it takes the right to share it. Raises Invalid, NotPermitted.
    """
    view = _own(view_id, by)
    before = _told(view)
    view.name = view.name if name is None else _name(name)
    view.query = view.query if query is None else _query(query)
    if shared_with is not None:
        view.sharing, view.queue = shared_with.sharing, shared_with.queue
    after = _told(view)
    if after == before:
        return view
    _require_sharing(SharedWith(_SHARING(view.sharing), view.queue), by)
    view.changed_at = at
    _store(view)
    if before["sharing"] != _SHARING.OWNER or view.is_shared:
        _record_change(view, before, after, by=by, at=at)
    return view


@transaction.atomic
def stop_sharing(view_id: int, *, by: AbstractUser, at: datetime) -> SavedView:
    """Leave a view to its owner alone: for the owner, and for whoever may share with everyone. Raises NotPermitted."""
    view = _seen(view_id, by)
    if view.owner_id != by.pk and not may_share_with_everyone(reach_of(by)):
        raise NotPermitted(
            say("“{view}” is of {owner}. Whoever may approve can stop sharing it.", view=view, owner=view.owner)
        )
    if not view.is_shared:
        return view
    before = _told(view)
    view.sharing, view.queue, view.changed_at = _SHARING.OWNER, None, at
    _store(view)
    _record_change(view, before, _told(view), by=by, at=at)
    return view


@transaction.atomic
def delete_view(view_id: int, *, by: AbstractUser, at: datetime) -> None:
    """For its owner. It leaves the lists of everybody who pinned it. Raises NotPermitted."""
    view = _own(view_id, by)
    if view.is_shared:
        summary = f"{by} deleted the view “{view}”, which {_whom(view)} had."
        _record(view, "view.deleted", by=by, at=at, summary=summary, data=_told(view))
    view.delete()


@transaction.atomic
def pin(view_id: int, *, by: AbstractUser) -> PinnedView:
    """Put a view at the head of one's lists, last of those there. Raises Invalid, SavedView.DoesNotExist."""
    _lock_pins(by)
    view = _seen(view_id, by)
    pins = pins_within(by, reach_of(by))
    found = pins.filter(view=view).first()
    if found is not None:
        return found
    if pins.count() >= MOST_PINNED:
        raise Invalid(
            "pinned",
            say(
                "You have {most_pinned} views pinned, which is as many as are counted. Unpin one first.",
                most_pinned=MOST_PINNED,
            ),
        )
    last = PinnedView.objects.filter(person=by.pk).aggregate(last=Max("position"))["last"] or 0
    return PinnedView.objects.create(person_id=by.pk, view=view, position=last + 1)


@transaction.atomic
def unpin(view_id: int, *, by: AbstractUser) -> None:
    _lock_pins(by)
    PinnedView.objects.filter(person=by.pk, view=view_id).delete()


@transaction.atomic
def move_up(view_id: int, *, by: AbstractUser) -> None:
    """Change places with the pinned view before it, of those that the person may still see; the first stays."""
    _lock_pins(by)
    pins = list(pins_within(by, reach_of(by)).order_by("position", "view"))
    place = next((index for index, found in enumerate(pins) if found.view_id == view_id), 0)
    if place:
        pins[place - 1], pins[place] = pins[place], pins[place - 1]
    for position, found in enumerate(pins, start=1):
        found.position = position
    PinnedView.objects.bulk_update(pins, ["position"])


def _lock_pins(by: AbstractUser) -> None:
    """One change at a time of what a person has at the head of their lists; a pin that is not there has no lock."""
    get_user_model().objects.select_for_update(no_key=True).get(pk=by.pk)


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise Invalid("name", say("Give the view a name, such as “Credit notes over 10,000”."))
    if len(name) > LONGEST_NAME:
        raise Invalid("name", say("A name has at most {longest_name} characters.", longest_name=LONGEST_NAME))
    return name


def _query(query: str) -> str:
    kept = canonical_query(QueryDict(query[: MOST_CHARACTERS * 2]))
    if len(kept) > MOST_CHARACTERS:
        raise Invalid("query", say("These filters are too long to be kept. Shorten the text that is looked for."))
    return kept


def _require_sharing(wanted: SharedWith, by: AbstractUser) -> None:
    if wanted.sharing == _SHARING.OWNER:
        return
    reach = reach_of(by)
    if wanted.sharing == _SHARING.QUEUE:
        _require_queue(wanted.queue, reach)
    elif not may_share_with_everyone(reach):
        raise NotPermitted(say("Only who may approve can share a view with everyone. Share it with a queue instead."))


def _require_queue(queue: Queue | None, reach: Reach) -> None:
    if queue is None:
        raise Invalid("shared_with", say("Choose the queue with which it is shared."))
    if queue.pk not in queues_to_share_with(reach):
        raise NotPermitted(
            say("You may not share a view with {queue}: it takes working or deciding there.", queue=queue)
        )


def _seen(view_id: int, by: AbstractUser) -> SavedView:
    """The view, locked, when the person has it before them. Raises SavedView.DoesNotExist."""
    seen = views_for(by, reach_of(by)).values("pk")
    rows = SavedView.objects.select_related("owner", "queue").select_for_update(of=("self",), no_key=True)
    return rows.get(pk=view_id, pk__in=seen)


def _own(view_id: int, by: AbstractUser) -> SavedView:
    view = _seen(view_id, by)
    if view.owner_id != by.pk:
        raise NotPermitted(say("“{view}” is of {owner}. Save a view of your own instead.", view=view, owner=view.owner))
    return view


def _store(view: SavedView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        raise Invalid("name", say("You have a view “{view}” already. Choose another name.", view=view.name)) from error


def _told(view: SavedView) -> dict[str, object]:
    queue = view.queue.slug if view.queue else ""
    return {"name": view.name, "query": view.query, "sharing": str(view.sharing), "queue": queue}


def _whom(view: SavedView) -> str:
    return f"everybody who sees {view.queue}" if view.queue else "everyone"


def _record_change(
    view: SavedView, before: Mapping[str, object], after: Mapping[str, object], *, by: AbstractUser, at: datetime
) -> None:
    changes = {name: {"was": before[name], "will_be": after[name]} for name in after if after[name] != before[name]}
    if not view.is_shared:
        name, summary = "view.no_longer_shared", f"{by} shares the view “{view}” of {view.owner} no longer."
    elif "sharing" in changes or "queue" in changes:
        name, summary = "view.shared", f"{by} shared the view “{view}” with {_whom(view)}."
    else:
        name, summary = "view.changed", f"{by} changed the view “{view}”, which {_whom(view)} has."
    _record(view, name, by=by, at=at, summary=summary, data={"changes": changes})


def _record(
    view: SavedView,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    data: Mapping[str, object] | None = None,
) -> None:
    """Like configuration, it is of the whole workbench: whoever may export anywhere reads of it."""
    log.record(
        name,
        subject=view.subject,
        scope=SCOPE,
        actor=by.get_username(),
        at=at,
        summary=summary,
        data=data if data is not None else _told(view),
    )
