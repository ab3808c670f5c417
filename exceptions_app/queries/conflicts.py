"""What we would send beside what the target holds under the same name, field by field, out of the stored answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from django.db.models.functions import Length

from exceptions_app.models import ExceptionCase
from exceptions_app.policies import OTHER_CONTENT_THERE
from exceptions_app.queries.case_page import CasePage
from exceptions_app.queries.transactions import taken_up_by
from integrations.connectors.base import AnswerKind, Connector, Presence
from integrations.connectors.held import LARGEST, Held, ShowsContent
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.models import ComparisonFinding, Delivery, DeliveryAnswer, DeliveryContent
from integrations.records.record import RecordField, ValueKind
from integrations.refusals import MessageNotUnderstood

MOST_DOCUMENTS: Final = 5
MOST_PAIRS: Final = 1000  # of one document, those that differ first
_NUMBERS: Final = frozenset({ValueKind.AMOUNT, ValueKind.PERCENT, ValueKind.QUANTITY})
# Outcomes by which a target says that it has something else: found when asked, or merely said when it was sent.
_OF_A_CONFLICT: Final = (Presence.DIFFERENT, Presence.ABSENT, AnswerKind.ALREADY_EXISTS)
_HELD_AT_HAND_OVER: Final = "conflict"  # the sub-category of what was handed over and met other content


class Match(StrEnum):
    """How one field stands on both sides."""

    DIFFERS = "differs"
    ONLY_OURS = "only_ours"
    ONLY_THEIRS = "only_theirs"
    SAME = "same"
    NOT_TOLD = "not_told"


DIFFERENT: Final = frozenset({Match.DIFFERS, Match.ONLY_OURS, Match.ONLY_THEIRS})


class Why(StrEnum):
    """Why nothing of the target's content can be shown."""

    NOT_ASKED = "not_asked"  # it said that it has the document, and cannot be asked with which content
    NOT_THERE = "not_there"  # it said so, and when it was asked it did not have it
    NOT_TOLD = "not_told"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"  # our own content, or the connector is not installed any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One business field on both sides; None where a side does not have it. Each amount has its own currency."""

    field: RecordField  # ours where there is one
    ours: str | None
    theirs: str | None
    currency_there: str
    match: Match


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBeside:
    """One document that the target holds. `counts` are of all pairs, also of those that are left out."""

    held: Held
    pairs: Sequence[Pair]  # at most MOST_PAIRS
    counts: Mapping[Match, int]

    @property
    def different(self) -> int:
        return sum(self.counts.get(match, 0) for match in DIFFERENT)

    @property
    def left_out(self) -> int:
        return sum(self.counts.values()) - len(self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The content of ours that the target's is laid beside. `version` is None for what is no version."""

    content: bytes
    sha256: str
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A target that has a document of our name and not with our content. `why` says why nothing is shown of it."""

    delivery: Delivery
    ours: Ours
    reference: str
    told_at: datetime
    documents: Sequence[HeldBeside] = ()
    named: int = 0  # documents that the target named, also those beyond MOST_DOCUMENTS
    why: Why | None = None


def conflict_of_case(page: CasePage) -> Conflict | None:
    """The conflict in which an exception stands, with its latest version beside it; None when it is in none.

    Two queries where the newest sending ended so, none where nothing speaks of a conflict.
    """
    sent = page.submission
    latest = Ours(content=page.latest_content, sha256=page.latest.sha256, version=page.latest.number)
    if sent is not None and sent.state == Delivery.State.CONFLICT:
        reverses = sent.operation == Delivery.Operation.REVERSE
        return conflicts_of([sent], {} if reverses else {sent.pk: latest}).get(sent.pk)
    if page.case.sub == _HELD_AT_HAND_OVER and sent is None:
        return _at_hand_over(page.case, latest)
    if page.case.sub == OTHER_CONTENT_THERE:
        return _in_the_list(page.case, latest, since=sent.created_at if sent is not None else None)
    return None


def conflicts_of(deliveries: Iterable[Delivery], ours: Mapping[int, Ours] | None = None) -> dict[int, Conflict]:
    """Delivery → its conflict, of those that ended in one. Three queries at most, whatever their number.

    `ours` is what is laid beside the target's content; else it is what was sent. A second booking of what we sent is
    no conflict of contents, and has none here.
    """
    found = {delivery.pk: delivery for delivery in deliveries if delivery.state == Delivery.State.CONFLICT}
    if not found:
        return {}
    answers = {answer.attempt.delivery_id: answer for answer in _last_answers(found)}
    speaking = {pk: answer for pk, answer in answers.items() if answer.outcome in _OF_A_CONFLICT}
    small = [answer.pk for answer in speaking.values() if answer.size <= LARGEST]  # type: ignore[attr-defined]
    stored = DeliveryAnswer.objects.filter(pk__in=small).values_list("pk", "body")
    bodies = {pk: bytes(body) for pk, body in stored}
    given = dict(ours or {}) | _sent([pk for pk in speaking if pk not in (ours or {})], found)
    return {pk: _conflict(found[pk], given[pk], answer, bodies.get(answer.pk)) for pk, answer in speaking.items()}


def _last_answers(found: Mapping[int, Delivery]) -> Iterable[DeliveryAnswer]:
    """Of each delivery the one that ended it, with the size of its body in bytes and without the body."""
    answers = DeliveryAnswer.objects.filter(attempt__delivery__in=found).annotate(size=Length("body"))
    newest = answers.order_by("attempt__delivery", "-attempt_id").distinct("attempt__delivery")
    return newest.select_related("attempt").defer("body", "headers")


def _sent(missing: Sequence[int], found: Mapping[int, Delivery]) -> dict[int, Ours]:
    if not missing:
        return {}
    contents = DeliveryContent.objects.filter(pk__in=missing).values_list("pk", "body")
    return {pk: Ours(content=bytes(body), sha256=found[pk].content_sha256) for pk, body in contents}


def _conflict(delivery: Delivery, ours: Ours, answer: DeliveryAnswer, body: bytes | None) -> Conflict:
    documents: list[HeldBeside] = []
    entries: Sequence[Mapping[str, Any]] = ()
    why: Why | None = Why.TOO_LARGE if body is None else None
    if body is not None:
        try:
            connector = get_connector(delivery.connection.connector)
            entries = connector.entries_in(body)
            documents = _beside(connector, entries, ours.content)
        except (MessageNotUnderstood, UnknownConnector):
            why = Why.UNREADABLE
        else:
            why = None if _tells(documents) else _why_not(answer)
    return Conflict(
        delivery=delivery,
        ours=ours,
        reference=answer.reference or delivery.reference,
        told_at=answer.finished_at,
        documents=documents,
        named=len(entries),
        why=why,
    )


def _tells(documents: Sequence[HeldBeside]) -> bool:
    return any(found.held.shows is not ShowsContent.NOTHING for found in documents)


def _why_not(answer: DeliveryAnswer) -> Why:
    match answer.outcome:
        case Presence.ABSENT:
            return Why.NOT_THERE
        case AnswerKind.ALREADY_EXISTS:
            return Why.NOT_ASKED
    return Why.NOT_TOLD


def _at_hand_over(case: ExceptionCase, ours: Ours) -> Conflict | None:
    subjects = [handed_over.subject for handed_over in taken_up_by(case)]
    sent = Delivery.objects.filter(subject__in=subjects, operation=Delivery.Operation.SUBMIT)
    newest = sent.select_related("connection").order_by("-pk").first()
    return conflicts_of([newest], {newest.pk: ours}).get(newest.pk) if newest is not None else None


def _in_the_list(case: ExceptionCase, ours: Ours, *, since: datetime | None) -> Conflict | None:
    """What a comparison found in the target's own list, unless something was sent after it."""
    found = (
        ComparisonFinding.objects.filter(subject=case.subject, kind=ComparisonFinding.Kind.OTHER_CONTENT)
        .select_related("delivery__connection", "comparison")
        .order_by("-pk")
        .first()
    )
    if found is None or (since is not None and found.comparison.finished_at < since):
        return None
    entries = [entry for entry in found.told if isinstance(entry, dict)]
    documents: list[HeldBeside] = []
    try:
        documents = _beside(get_connector(found.delivery.connection.connector), entries, ours.content)
    except (MessageNotUnderstood, UnknownConnector):
        why: Why | None = Why.UNREADABLE
    else:
        why = None if _tells(documents) else Why.NOT_TOLD
    return Conflict(
        delivery=found.delivery,
        ours=ours,
        reference=", ".join(found.references),
        told_at=found.comparison.finished_at,
        documents=documents,
        named=len(entries),
        why=why,
    )


def _beside(connector: Connector, entries: Sequence[Mapping[str, Any]], content: bytes) -> list[HeldBeside]:
    """Raises MessageNotUnderstood."""
    if not entries:
        return []
    ours = connector.read(content).fields
    return [_laid_beside(ours, connector.held(entry, content=content)) for entry in entries[:MOST_DOCUMENTS]]


def _laid_beside(ours: Sequence[RecordField], held: Held) -> HeldBeside:
    theirs = {field.path: field for field in held.fields}
    pairs = [_pair(field, theirs.get(field.path), untold=field.path in held.untold) for field in ours]
    known = {field.path for field in ours}
    pairs += [_pair(None, field) for field in held.fields if field.path not in known]
    pairs = [pair for pair in pairs if pair.ours or pair.theirs]  # what neither side has says nothing
    pairs.sort(key=lambda pair: (pair.match not in DIFFERENT, pair.match is Match.NOT_TOLD))  # else as in the document
    counts = {match: sum(pair.match is match for pair in pairs) for match in Match}
    return HeldBeside(held=held, pairs=pairs[:MOST_PAIRS], counts=counts)


def _pair(ours: RecordField | None, theirs: RecordField | None, *, untold: bool = False) -> Pair:
    shown = ours or theirs
    if shown is None:
        raise ValueError("A pair has a field on one side at least.")
    here, there = (ours.value if ours else None) or None, (theirs.value if theirs else None) or None
    return Pair(
        field=shown,
        ours=here,
        theirs=there,
        currency_there=theirs.currency if theirs else "",
        match=Match.NOT_TOLD if untold else _match(shown.kind, here, there, other_money=_in_other_money(ours, theirs)),
    )


def _in_other_money(ours: RecordField | None, theirs: RecordField | None) -> bool:
    """The same number of another currency is another amount."""
    currencies = {field.currency for field in (ours, theirs) if field is not None and field.value and field.currency}
    return len(currencies) > 1


def _match(kind: ValueKind, here: str | None, there: str | None, *, other_money: bool) -> Match:
    if _comparable(kind, here) == _comparable(kind, there) and not other_money:
        return Match.SAME
    if not here or not there:
        return Match.ONLY_OURS if here else Match.ONLY_THEIRS
    return Match.DIFFERS


def _comparable(kind: ValueKind, text: str | None) -> object:
    """By value, as the targets compare: no amount is the same as zero, and an identifier has no blanks."""
    plain = (text or "").strip()
    if kind in _NUMBERS:
        try:
            return Decimal(plain or 0)
        except InvalidOperation:
            return plain
    if kind is ValueKind.IDENTIFIER:
        return "".join(plain.split()).upper()
    return plain[:10] if kind is ValueKind.DATE else plain
