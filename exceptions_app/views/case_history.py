"""What happened to one exception, made readable: timeline, versions, attempts at the target, arrivals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext

from audit.queries import LogEntry
from exceptions_app.models import ExceptionCase, Occurrence, PayloadVersion
from exceptions_app.queries.case_history import (
    PAGE_SIZE,
    NumberedAttempt,
    Part,
    arrivals_of,
    attempts_of,
    counts_of,
    deliveries_of,
    timeline_of,
    versions_of,
)
from exceptions_app.queries.case_page import full_names
from exceptions_app.queries.sensitive import shown_until
from exceptions_app.source_text import masked_text
from exceptions_app.states import Verb
from exceptions_app.targets import without_secrets
from exceptions_app.templatetags.presentation import with_amounts
from exceptions_app.views.changes import for_the_table
from exceptions_app.wording import say, shown
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.models import Delivery, DeliveryAnswer, DeliveryAttempt
from integrations.records.record import Record
from integrations.refusals import MessageNotUnderstood

MOST_BODY_CHARACTERS = 20_000
# Tone and icon of an event, by the audit's name for it.
_LOOKS: Mapping[str, tuple[str, str]] = {
    "case.opened": ("danger", "intake"),
    "case.recurred": ("warning", "intake"),
    "case.claimed": ("", "user"),
    "case.assigned": ("", "assign"),
    "case.put_on_hold": ("", "hold"),
    "case.resumed": ("", "resume"),
    "case.hold_ended": ("", "resume"),
    "case.snoozed": ("", "clock"),
    "case.woken": ("", "resume"),
    "case.snooze_ended": ("", "resume"),
    "case.tagged": ("", "tag"),
    "case.cause_changed": ("", "filter"),
    "case.playbook_used": ("info", "audit"),
    "case.move_undone": ("", "reopen"),
    "case.disagreement_found": ("danger", "danger"),
    "case.corrected": ("info", "correct"),
    "case.translated_again": ("info", "reopen"),
    "case.replay_proposed": ("review", "propose"),
    "case.release_proposed": ("review", "release"),
    "case.decline_proposed": ("review", "decline"),
    "case.dismissal_proposed": ("review", "dismissed"),
    "case.reversal_proposed": ("review", "reopen"),
    "case.wrong_booking_reported": ("warning", "danger"),
    "case.proposal_withdrawn": ("", "withdraw"),
    "case.approved": ("success", "check"),
    "case.approved_first": ("review", "check"),
    "case.closure_approved": ("success", "check"),
    "case.rejected": ("danger", "close"),
    "case.reopened": ("", "reopen"),
    "case.commented": ("", "comment"),
    "case.erased": ("", "info"),
    "case.values_revealed": ("info", "eye"),
    "case.outcome_unknown": ("warning", "outcome-unknown"),
    "case.refused_again": ("danger", "danger"),
    "case.conflict_found": ("danger", "danger"),
    "case.sending_stopped": ("danger", "danger"),
    "case.resolved": ("success", "resolved"),
    "case.source_notified": ("", "external"),
    "case.source_told": ("success", "external"),
    "case.source_not_told": ("warning", "external"),
    "transaction.handed_over": ("", "intake"),
    "transaction.made_to_wait": ("", "hold"),
    "transaction.sent_on": ("info", "external"),
    "transaction.held": ("warning", "hold"),
    "transaction.recognised": ("", "check"),
    "transaction.outcome_unknown": ("warning", "outcome-unknown"),
    "transaction.delivered": ("success", "resolved"),
    "transaction.closed": ("", "dismissed"),
    "transaction.reopened": ("", "reopen"),
    "transaction.sending_stopped": ("danger", "danger"),
    "transaction.source_told": ("success", "external"),
    "transaction.source_not_told": ("warning", "external"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One line of the timeline."""

    at: datetime
    sentence: str
    actor: str
    tone: str
    icon: str
    note: str
    quote: str
    reference: str


def event_rows(
    events: Iterable[LogEntry], names: Mapping[str, str], *, with_numbers: bool = False, currency: str = ""
) -> list[EventRow]:
    """The timeline, newest first, with people by their names; for an auditor with the sealed numbers.

    `currency` is that of the amounts in sentences that no person wrote.
    """
    return [
        _event_row(event, names, with_number=with_numbers, currency=currency)
        for event in sorted(events, key=lambda event: (event.at, event.id), reverse=True)
    ]


def _event_row(event: LogEntry, names: Mapping[str, str], *, with_number: bool, currency: str) -> EventRow:
    tone, icon = _LOOKS.get(event.action, ("", "history"))
    sentence, actor = event.summary, ""
    if event.actor_kind != "person":
        sentence = with_amounts(sentence, currency)
    name = names.get(event.actor) or event.actor
    if event.actor_kind == "person" and sentence.startswith(f"{name} "):
        sentence, actor = sentence.removeprefix(f"{name} "), name
    comment = str(event.data.get("text", "")) if event.action == "case.commented" else ""
    return EventRow(
        at=event.at,
        sentence=sentence,
        actor=actor,
        tone=tone,
        icon=icon,
        note=shown(say("Sealed as number {number}", number=event.sequence))
        if with_number and event.sequence is not None
        else "",
        quote=comment or ("" if event.because and event.because in event.summary else event.because),
        reference=str(event.data.get("reference") or "") if event.action == "case.resolved" else "",
    )


# What an answer comes to: the badge that it borrows, and its words.
ANSWERS: Mapping[str, tuple[str, str]] = {
    "absent": ("queued", "Not there"),
    "same": ("already_there", "There, same content"),
    "different": ("conflict", "There, other content"),
    "unanswered": ("unknown", "No usable answer"),
    "confirmed": ("confirmed", "Accepted"),
    "refused": ("refused", "Refused"),
    "already_exists": ("conflict", "Exists already"),
    "not_sent": ("queued", "Not taken"),
    "pending": ("unknown", "Not decided yet"),
    "misconfigured": ("refused", "Connection turned down"),
}
NO_ANSWER = ("unknown", "Outcome unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One time that we asked or sent, and what came back."""

    number: int
    phase: str
    badge: str
    words: str
    at: datetime
    http_status: int | None
    milliseconds: int | None
    reference: str
    detail: str
    body: str
    cut: bool
    file: str  # the reference of the file in which it was sent; empty when it was sent as it is
    companions: int  # others in that file


def attempt_rows(attempts: Sequence[NumberedAttempt], *, shows: bool = False) -> list[AttemptRow]:
    """With what was answered, masked unless the reader has it shown."""
    return [_attempt_row(found.number, found.attempt, shows=shows) for found in attempts]


def _attempt_row(number: int, attempt: DeliveryAttempt, *, shows: bool) -> AttemptRow:
    answer: DeliveryAnswer | None = getattr(attempt, "answer", None)
    whole = bytes(answer.body) if answer else b""
    body = whole.decode("utf-8", errors="replace")
    body = body if shows or not body else masked_text(body, whole=whole)
    took = answer.finished_at - attempt.started_at if answer else None
    badge, words = ANSWERS.get(answer.outcome, NO_ANSWER) if answer else NO_ANSWER
    return AttemptRow(
        number=number,
        phase=shown(DeliveryAttempt.Phase(attempt.phase).label),
        badge=badge,
        words=shown(words),
        at=attempt.started_at,
        http_status=answer.http_status if answer else None,
        milliseconds=round(took.total_seconds() * 1000) if took is not None else None,
        reference=answer.reference if answer else "",
        detail=answer.detail
        if answer
        else gettext("No answer was recorded, so what came of it was found out otherwise."),
        body=body[:MOST_BODY_CHARACTERS],
        cut=len(body) > MOST_BODY_CHARACTERS,
        file=attempt.envelope.reference if attempt.envelope else "",
        companions=attempt.envelope.number - 1 if attempt.envelope else 0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalRow:
    """One arrival of the same transaction."""

    occurrence: Occurrence
    is_first: bool
    differs: bool


def history_context(
    case: ExceptionCase, *, tab: str, after: str = "", verbs: frozenset[Verb] = frozenset()
) -> dict[str, Any]:
    """The part below the page: timeline, versions, attempts, arrivals; only the one that is asked for is read."""
    part = Part(tab) if tab in set(Part) else Part.TIMELINE
    url = reverse("exceptions:case", kwargs={"ref": case.ref})
    counts = counts_of(case)
    rows, older = history_rows(case, part, after=after, verbs=verbs)
    return {
        "case": case,
        "url": url,
        "tab": part.value,
        "tabs": [
            {
                "label": shown(label),
                "url": f"{url}?tab={name}#case-history",
                "current": name is part,
                "count": counts[name],
            }
            for name, label in LABELS.items()
        ],
        "rows": rows,
        "count": counts[part],
        "noun": shown(LABELS[part]).lower(),
        "older": older,
        "older_url": f"{url}?{urlencode({'tab': part.value, 'after': older})}#case-history" if older else "",
        "newest_url": f"{url}?tab={part.value}#case-history" if after else "",
    }


def history_rows(
    case: ExceptionCase, part: Part, *, verbs: frozenset[Verb], after: str = "", limit: int = PAGE_SIZE
) -> tuple[Sequence[Any], str]:
    """So many entries of one list, newest first, and the place after which the next begin; none is counted."""
    return _ROWS[part](case, after, limit, verbs)


LABELS: Mapping[Part, str] = {
    Part.TIMELINE: "Timeline",
    Part.VERSIONS: "Versions",
    Part.ATTEMPTS: "Deliveries",
    Part.ARRIVALS: "Messages",
}


def _timeline(case: ExceptionCase, after: str, limit: int, verbs: frozenset[Verb]) -> tuple[Sequence[Any], str]:
    listed = timeline_of(case, after=after, limit=limit)
    names = full_names({event.actor for event in listed.items})
    with_numbers = Verb.EXPORT in verbs
    return event_rows(listed.items, names, with_numbers=with_numbers, currency=case.currency), listed.older


def _versions(case: ExceptionCase, after: str, limit: int, _: frozenset[Verb]) -> tuple[Sequence[Any], str]:
    """Each with its changes as they are read; what is an amount, the latest document says."""
    listed = versions_of(case, after=after, limit=limit)
    record = _latest_record(case)
    return [(version, for_the_table(version.changes, record, record)) for version in listed.items], listed.older


def _latest_record(case: ExceptionCase) -> Record | None:
    latest = PayloadVersion.objects.filter(case=case).order_by("-number").only("content").first()
    try:
        return get_connector(case.connection.connector).read(bytes(latest.content)) if latest is not None else None
    except (MessageNotUnderstood, UnknownConnector):
        return None


def _attempts(case: ExceptionCase, after: str, limit: int, verbs: frozenset[Verb]) -> tuple[Sequence[Any], str]:
    listed = deliveries_of(case, after=after, limit=limit)
    found = attempts_of(listed.items, with_bodies=True)
    shows = shown_until(case, verbs) is not None
    rows = [
        (delivery, attempt_rows(found[delivery.pk], shows=shows), address_of(delivery)) for delivery in listed.items
    ]
    return rows, listed.older


def address_of(delivery: Delivery) -> str:
    """Where it goes, while it is on its way: what was sent before may have gone to another address."""
    if not delivery.is_live:
        return ""
    is_submission = delivery.operation in Delivery.BOOKING
    return without_secrets(delivery.connection.target_url if is_submission else delivery.connection.write_back_url)


def _arrivals(case: ExceptionCase, after: str, limit: int, _: frozenset[Verb]) -> tuple[Sequence[Any], str]:
    """`differs` when its content is not that of the first."""
    listed = arrivals_of(case, after=after, limit=limit)
    first = Occurrence.objects.filter(case=case).order_by("id").only("payload_sha256").first()
    rows = [
        ArrivalRow(
            occurrence=found,
            is_first=found == first,
            differs=first is not None and found.payload_sha256 != first.payload_sha256,
        )
        for found in listed.items
    ]
    return rows, listed.older


_ROWS: Mapping[Part, Callable[[ExceptionCase, str, int, frozenset[Verb]], tuple[Sequence[Any], str]]] = {
    Part.TIMELINE: _timeline,
    Part.VERSIONS: _versions,
    Part.ATTEMPTS: _attempts,
    Part.ARRIVALS: _arrivals,
}
