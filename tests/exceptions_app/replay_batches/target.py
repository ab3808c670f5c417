"""A target in this very process, which does what a test says: cheap enough for a thousand documents."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction

from audit import log
from exceptions_app.actions.batch_propose import propose_batch
from exceptions_app.actions.mover import scope_of
from exceptions_app.models import BatchItem, ExceptionCase, LegalEntity, Occurrence, PayloadVersion, ReplayBatch
from integrations.connectors.base import Answer, AnswerKind, CheckReport, Endpoint, Observation, Presence
from integrations.connectors.registry import CONNECTORS, get_connector
from integrations.models import InboxMessage
from integrations.refusals import Category, Refusal, RefusalError, Severity
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.factories import make_cause


@dataclass(slots=True)
class Target:
    """What it has, what it was sent, and what it answers to the documents that a test names."""

    sent: list[tuple[str, str]] = field(default_factory=list)  # number and hash of each submission
    booked: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)  # number and the code of the refusal
    loses: set[str] = field(default_factory=set)  # booked, and the answer is lost
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def numbers(self) -> list[str]:
        return [number for number, _ in self.sent]

    def submit(self, *, business_key: str, content: bytes, **_more: Any) -> Answer:
        sha256 = hashlib.sha256(content).hexdigest()
        with self._lock:
            self.sent.append((business_key, sha256))
            if business_key in self.refuses:
                code = self.refuses[business_key]
                error = RefusalError(
                    code=code, severity=Severity.ERROR, text=f"{code} refused.", plain=f"{code} refused."
                )
                refusal = Refusal(Category.BUSINESS_VALIDATION, sub="", auto_retry=False, errors=(error,))
                return Answer(AnswerKind.REFUSED, refusal=refusal, http_status=422)
            if business_key in self.booked:
                return Answer(AnswerKind.ALREADY_EXISTS, http_status=409)
            self.booked[business_key] = sha256
            if business_key in self.loses:
                return Answer(AnswerKind.UNKNOWN, detail="The answer was lost.")
            return Answer(AnswerKind.CONFIRMED, reference=f"DOC-{business_key}", http_status=201)

    def probe(self, *, business_key: str, content: bytes, **_more: Any) -> Observation:
        there = self.booked.get(business_key)
        if there is None:
            return Observation(Presence.ABSENT, http_status=404)
        same = there == hashlib.sha256(content).hexdigest()
        return Observation(
            Presence.SAME if same else Presence.DIFFERENT, reference=f"DOC-{business_key}", http_status=200
        )


class ScriptedConnector:
    """The connector of that target: a document is a JSON object with a number, and every check passes."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(get_connector("en16931"), name)

    def business_key(self, payload: bytes) -> str:
        return str(json.loads(payload)["number"])

    def check(self, payload: bytes) -> CheckReport:
        words = json.loads(payload).get("wrong")
        error = RefusalError(code="WRONG", severity=Severity.ERROR, text=f"{words}", plain=f"{words}")
        return CheckReport("scripted check", (error,) if words else ())

    def client(self, endpoint: Endpoint) -> Target:
        return self.target


@pytest.fixture
def target(cast: Cast) -> Iterator[Target]:
    """The cast's connection leads to it."""
    scripted = Target()
    CONNECTORS["scripted"] = ScriptedConnector(scripted)
    configure(cast.connection, connector="scripted", target_url="https://target.example/documents")
    yield scripted
    del CONNECTORS["scripted"]


@transaction.atomic
def refused_cases(
    cast: Cast, count: int, *, first: int = 1, entity: LegalEntity | None = None, **more: Any
) -> list[ExceptionCase]:
    """Exceptions whose documents were refused, and whose cause was mended at the target; written in bulk.

    `more` is what stands in each document beside its number.
    """
    numbers = [f"INV-{number:04}" for number in range(first, first + count)]
    payloads = [json.dumps({"number": number, **more}).encode() for number in numbers]
    common: dict[str, Any] = {
        "connection": cast.connection, "object_type": "invoice", "kind": "failed", "queue": cast.einvoicing,
        "entity": entity or cast.netherlands, "category": "transport",
        "cause": make_cause("DOWN", "The authority was down."),
        "problem": "The authority was down.", "counterparty": "Van Loon Koeltechniek B.V.", "amount": "10.50",
        "currency": "EUR", "opened_at": MORNING, "changed_at": MORNING,
    }  # fmt: skip
    cases = ExceptionCase.objects.bulk_create(
        ExceptionCase(**common, business_key=number, document_number=number) for number in numbers
    )
    log.record_many(
        log.Entry(
            action="case.opened", subject=case.subject, scope=scope_of(case), actor="machine:intake",
            actor_kind="machine", at=MORNING, summary=f"{case.ref} opened.",
        )
        for case in cases
    )  # fmt: skip
    messages = InboxMessage.objects.bulk_create(
        InboxMessage(
            connection=cast.connection, external_id=f"message-{number}", via="api", status="processed",
            received_at=MORNING, content_sha256=hashlib.sha256(payload).hexdigest(), received_by="source",
        )
        for number, payload in zip(numbers, payloads, strict=True)
    )  # fmt: skip
    found = list(zip(cases, messages, payloads, strict=True))
    PayloadVersion.objects.bulk_create(
        PayloadVersion(
            case=case, number=1, content=payload, media_type="application/json", sha256=message.content_sha256,
            created_at=MORNING,
        )
        for case, message, payload in found
    )  # fmt: skip
    Occurrence.objects.bulk_create(
        Occurrence(
            case=case, inbox_message=message, arrived_at=MORNING, payload_sha256=message.content_sha256,
            definitive=True, errors=[],
        )
        for case, message, _ in found
    )  # fmt: skip
    return cases


def propose_all(cast: Cast, cases: list[ExceptionCase], **more: Any) -> ReplayBatch:
    """A batch of all of them, proposed by the clerk."""
    ids = [case.pk for case in cases]
    return propose_batch(ids, by=cast.clerk, at=MORNING, because="The authority was down.", **more)


def states_of(batch: ReplayBatch) -> list[str]:
    """How each item stands, in the order of the list."""
    items = BatchItem.objects.filter(batch=batch).order_by("position")
    return list(items.values_list("progress__state", flat=True))
