"""A feed read page by page: the cursor moves in the transaction that stores the page, so nothing is lost or doubled."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from django.db import transaction

from integrations import inbox, safe_json
from integrations.answers import retry_after
from integrations.connectors.json_document.tree import Kind, Value, read_value
from integrations.envelope import Envelope, take_out, text_of, value_at, whole_number_of
from integrations.http import Outcome, exchange
from integrations.models import InboxMessage, PullSource
from integrations.pull import gaps
from integrations.pull.outcome import ENOUGH, NoRoom, Overtaken, Pulled, PullFailed
from integrations.pull.unusable import keep_item
from integrations.pull_settings import RestSettings

MOST_ITEMS = 5_000  # of one page
_LONGEST_CURSOR = 1_000  # characters
_SIGN_IN_REFUSED = (401, 403)
_COME_LATER = (429, 503)
_Arrived = tuple[Value, inbox.Arrival]
_Refused = tuple[Value, inbox.MessageRefused]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the feed. `next_cursor` is empty when there is none."""

    items: list[Value] = field(default_factory=list)
    next_cursor: str = ""


def pull(source: PullSource, settings: RestSettings, *, at: datetime) -> Pulled:
    """Read on from the cursor until there is no more, then ask for what was passed over.

    Raises PullFailed, and Overtaken when the source was paused or set back meanwhile.
    """
    pulled = Pulled()
    cursor = str(source.cursor.get("cursor", settings.start))
    seen = {cursor}
    enough_at = time.monotonic() + ENOUGH
    for _ in range(settings.pages):
        page = _fetch(source, settings, _page_address(settings, cursor))
        _store(source, settings, page, cursor=page.next_cursor or cursor, pulled=pulled, at=at)
        if not page.next_cursor:
            break
        if page.next_cursor in seen:
            if page.items and not _is_last_item_again(page, settings):
                raise PullFailed(
                    f"The feed gave {len(page.items)} items and a cursor that it had given before, so it would never"
                    " end. What came is stored. Look at cursor_parameter and next_cursor, or ask who runs the feed."
                )
            break
        cursor = page.next_cursor
        seen.add(cursor)
        if time.monotonic() >= enough_at:
            pulled.again_in = timedelta(0)
            return pulled
    else:
        pulled.again_in = timedelta(0)
    if settings.gap_url:
        _ask_for_gaps(source, settings, pulled, at=at)
    return pulled


def _is_last_item_again(page: Page, settings: RestSettings) -> bool:
    """Where the cursor is that of an item, a feed may begin with this item instead of behind it."""
    return bool(settings.item_cursor) and len(page.items) == 1


def _page_address(settings: RestSettings, cursor: str) -> str:
    query = dict(settings.parameters)
    if cursor:
        query[settings.cursor_parameter] = cursor
    return f"{settings.url}?{urlencode(query)}" if query else settings.url


def _ask_for_gaps(source: PullSource, settings: RestSettings, pulled: Pulled, *, at: datetime) -> None:
    for gap in gaps.to_ask_for(source, at=at):
        first, last = gap.missing[0]
        address = settings.gap_url.replace("{first}", quote(str(first))).replace("{last}", quote(str(last)))
        gaps.asked_for(gap, at=at)
        try:
            page = _fetch(source, settings, address)
        except PullFailed as failure:
            if failure.pauses or failure.retry_after is not None:
                raise
            pulled.notice = f"Asked again for number {gap}: {failure.problem}"
            return
        _store(source, settings, page, cursor=None, pulled=pulled, at=at)


def _fetch(source: PullSource, settings: RestSettings, address: str) -> Page:
    answer = exchange(
        "GET",
        address,
        headers={"Accept": "application/json", **_authorization(source, settings)},
        timeout=source.connection.timeout_seconds,
        max_answer=settings.page_bytes,
    )
    if answer.outcome is not Outcome.ANSWERED:
        raise PullFailed(answer.detail or "The feed did not answer.")
    status = answer.status or 0
    if status in _SIGN_IN_REFUSED:
        remedy = "Mend the secret, or have access granted, and resume."
        raise PullFailed(f"The feed refused the sign-in ({status}). {remedy}", pauses=True)
    if status in _COME_LATER:
        raise PullFailed(f"The feed wants to be asked later ({status}).", retry_after=retry_after(answer.headers))
    if status == 204:
        return Page()
    if status != 200:
        moved = " Redirects are not followed; write the address where it leads." if 300 <= status < 400 else ""
        raise PullFailed(f"The feed answered with status {status}.{moved}")
    return _read(answer.body, settings)


def _authorization(source: PullSource, settings: RestSettings) -> Mapping[str, str]:
    match settings.sign_in:
        case "bearer":
            return {"Authorization": f"Bearer {source.secret}"}
        case "basic":
            pair = base64.b64encode(f"{settings.user}:{source.secret}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
    return {}


def _read(body: bytes, settings: RestSettings) -> Page:
    try:
        safe_json.loads(body, max_bytes=settings.page_bytes)
    except safe_json.UnsafeJson as error:
        raise PullFailed(f"The answer of the feed cannot be read. {error}") from error
    answer = read_value(body.decode("utf-8-sig"))
    found = value_at(answer, settings.items)
    if found is None or found.kind is not Kind.LIST:
        raise PullFailed(f"The answer of the feed has no list at {settings.items or 'its top'}; look at items.")
    items = [entry.value for entry in found.entries]
    if len(items) > MOST_ITEMS:
        raise PullFailed(f"A page has {len(items):,} items; ask the feed for at most {MOST_ITEMS:,} by parameters.")
    if settings.item_cursor:
        cursor = text_of(value_at(items[-1], settings.item_cursor)) if items else ""
        if items and not cursor:
            raise PullFailed(f"The last item of a page has nothing at {settings.item_cursor}; look at item_cursor.")
    else:
        cursor = text_of(value_at(answer, settings.next_cursor))
    if len(cursor) > _LONGEST_CURSOR:
        raise PullFailed(f"The feed gave a cursor of more than {_LONGEST_CURSOR:,} characters.")
    return Page(items, cursor)


def _store(
    source: PullSource, settings: RestSettings, page: Page, *, cursor: str | None, pulled: Pulled, at: datetime
) -> None:
    """Messages, gaps and cursor, all or nothing. Without a cursor the place stays: these were asked for again.

    Raises NoRoom when not all of the page was taken; then the cursor stays where it was.
    """
    arrivals, unusable = _opened(source, page)
    place = source.cursor
    with transaction.atomic():
        _require_unmoved(source)
        outcomes = inbox.receive_many(
            [arrival for _, arrival in arrivals], via=InboxMessage.Via.PULL, by=f"pull:{source.slug}", at=at
        )
        full = next((outcome for outcome in outcomes if isinstance(outcome, inbox.QuotaReached)), None)
        for (item, _), outcome in zip(arrivals, outcomes, strict=True):
            if isinstance(outcome, inbox.MessageRefused) and not isinstance(outcome, inbox.QuotaReached):
                unusable.append((item, outcome))
        for item, refused in unusable:
            keep_item(source, item.json.encode(), refused, at=at)
        if full is None:  # otherwise the page comes again, and what was taken of it is recognised
            place = _place_after(source, settings, page, cursor=cursor, pulled=pulled, at=at)
            PullSource.objects.filter(pk=source.pk).update(cursor=place)
    source.cursor = place
    receipts = [outcome for outcome in outcomes if isinstance(outcome, inbox.Receipt)]
    pulled.taken += sum(not receipt.is_repeat for receipt in receipts)
    pulled.repeats += sum(receipt.is_repeat for receipt in receipts)
    pulled.unusable += len(unusable)
    if full is not None:
        raise NoRoom(full.problem, retry_after=full.retry_after)


def _opened(source: PullSource, page: Page) -> tuple[list[_Arrived], list[_Refused]]:
    """The messages of the items that can be read as such, and why the others cannot."""
    envelope = Envelope.of(source.settings)
    arrivals: list[_Arrived] = []
    unusable: list[_Refused] = []
    for item in page.items:
        try:
            handed_in = take_out(item, envelope, context={"pull_source": source.slug})
        except inbox.MessageRefused as refused:
            unusable.append((item, refused))
        else:
            arrivals.append((item, inbox.Arrival(source.connection, handed_in)))
    return arrivals, unusable


def _require_unmoved(source: PullSource) -> None:
    """Lock it until the transaction ends. Raises Overtaken."""
    row = PullSource.objects.select_for_update(no_key=True).only("cursor", "paused_at").get(pk=source.pk)
    if row.cursor != source.cursor or row.is_paused:
        raise Overtaken


def _place_after(
    source: PullSource, settings: RestSettings, page: Page, *, cursor: str | None, pulled: Pulled, at: datetime
) -> dict[str, Any]:
    """Where the source stands once the page is stored, with the account of its numbers."""
    place = dict(source.cursor)
    if cursor is not None:
        place["cursor"] = cursor
    if settings.sequence and page.items:
        numbers = [whole_number_of(value_at(item, settings.sequence)) for item in page.items]
        without = numbers.count(None)
        if without:
            pulled.notice = (
                f"{without} items had no whole number at {settings.sequence}: they were taken in, and gaps among them"
                " cannot be seen."
            )
        place["highest"] = gaps.note(
            source,
            [number for number in numbers if number is not None],
            highest=place.get("highest"),
            first=settings.first_sequence,
            overdue_after=timedelta(minutes=settings.gap_minutes),
            at=at,
        )
    return place
