"""What happened to one exception, made readable: timeline, versions, attempts at the target, arrivals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.queries import LogEntry
from exceptions_app.models import Occurrence
from exceptions_app.queries.case_page import CasePage
from integrations.models import Delivery, DeliveryAnswer, DeliveryAttempt

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
    "case.corrected": ("info", "correct"),
    "case.replay_proposed": ("review", "propose"),
    "case.release_proposed": ("review", "release"),
    "case.decline_proposed": ("review", "decline"),
    "case.dismissal_proposed": ("review", "dismissed"),
    "case.proposal_withdrawn": ("", "withdraw"),
    "case.approved": ("success", "check"),
    "case.closure_approved": ("success", "check"),
    "case.rejected": ("danger", "close"),
    "case.reopened": ("", "reopen"),
    "case.commented": ("", "comment"),
    "case.outcome_unknown": ("warning", "outcome-unknown"),
    "case.refused_again": ("danger", "danger"),
    "case.conflict_found": ("danger", "danger"),
    "case.sending_stopped": ("danger", "danger"),
    "case.resolved": ("success", "resolved"),
    "case.source_notified": ("", "external"),
    "case.source_told": ("success", "external"),
    "case.source_not_told": ("warning", "external"),
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


def event_rows(events: Iterable[LogEntry], names: Mapping[str, str], *, with_numbers: bool = False) -> list[EventRow]:
    """The timeline, newest first, with people by their names; for an auditor with the sealed numbers."""
    return [
        _event_row(event, names, with_number=with_numbers)
        for event in sorted(events, key=lambda event: (event.at, event.id), reverse=True)
    ]


def _event_row(event: LogEntry, names: Mapping[str, str], *, with_number: bool) -> EventRow:
    tone, icon = _LOOKS.get(event.action, ("", "history"))
    sentence, actor = event.summary, ""
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
        note=f"Sealed as number {event.sequence}" if with_number and event.sequence is not None else "",
        quote=comment or ("" if event.because and event.because in event.summary else event.because),
        reference=str(event.data.get("reference") or "") if event.action == "case.resolved" else "",
    )


# What an answer comes to: the badge that it borrows, and its words.
_ANSWERS: Mapping[str, tuple[str, str]] = {
    "absent": ("queued", "Not there"),
    "same": ("already_there", "There, same content"),
    "different": ("conflict", "There, other content"),
    "unanswered": ("unknown", "No usable answer"),
    "confirmed": ("confirmed", "Accepted"),
    "refused": ("refused", "Refused"),
    "already_exists": ("conflict", "Exists already"),
    "not_sent": ("queued", "Not taken"),
    "misconfigured": ("refused", "Connection turned down"),
}
_NO_ANSWER = ("unknown", "Outcome unknown")


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


def attempt_rows(attempts: Sequence[DeliveryAttempt]) -> list[AttemptRow]:
    return [_attempt_row(number, attempt) for number, attempt in enumerate(attempts, start=1)]


def _attempt_row(number: int, attempt: DeliveryAttempt) -> AttemptRow:
    answer: DeliveryAnswer | None = getattr(attempt, "answer", None)
    body = bytes(answer.body).decode("utf-8", errors="replace") if answer else ""
    took = answer.finished_at - attempt.started_at if answer else None
    badge, words = _ANSWERS.get(answer.outcome, _NO_ANSWER) if answer else _NO_ANSWER
    return AttemptRow(
        number=number,
        phase=str(DeliveryAttempt.Phase(attempt.phase).label),
        badge=badge,
        words=words,
        at=attempt.started_at,
        http_status=answer.http_status if answer else None,
        milliseconds=round(took.total_seconds() * 1000) if took is not None else None,
        reference=answer.reference if answer else "",
        detail=answer.detail if answer else "No answer was recorded, so what came of it was found out otherwise.",
        body=body[:MOST_BODY_CHARACTERS],
        cut=len(body) > MOST_BODY_CHARACTERS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalRow:
    """One arrival of the same transaction."""

    occurrence: Occurrence
    number: int
    differs: bool


def arrival_rows(page: CasePage) -> list[ArrivalRow]:
    """Newest first; `differs` when its content is not that of the first."""
    return [
        ArrivalRow(occurrence=found, number=number, differs=found.payload_sha256 != page.first.sha256)
        for number, found in reversed(list(enumerate(page.occurrences, start=1)))
    ]


def write_back_of(deliveries: Iterable[Delivery]) -> Delivery | None:
    """The newest message to the source."""
    told = [delivery for delivery in deliveries if delivery.operation == Delivery.Operation.WRITE_BACK]
    return told[-1] if told else None


def submission_of(deliveries: Iterable[Delivery]) -> Delivery | None:
    """The newest sending of the document."""
    sent = [delivery for delivery in deliveries if delivery.operation == Delivery.Operation.SUBMIT]
    return sent[-1] if sent else None
