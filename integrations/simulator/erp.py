"""The simulated ERP: judges a posting, books it, and can be asked for it. It answers as SAP Gateway does."""

import hashlib
import json
from decimal import Decimal
from typing import Any, NoReturn

from integrations.simulator.booked import booked_page
from integrations.simulator.erp_books import Books, ChangeNotUnderstood
from integrations.simulator.erp_judge import TYPES, Content, Message, date_in, judge, text_of
from integrations.simulator.faults import FaultName
from integrations.simulator.ledger import Record
from integrations.simulator.replies import Reply, json_reply, problem
from integrations.simulator.routes import Refused, Request, Route, Routes, World, attempt_of

SYSTEM = "erp"
_POSTINGS = "/erp/postings"
_CONTROL = "/control/erp"
_NUMBER_RANGES = {"journal": "10", "customer_invoice": "18"}
_NUMBER_DIGITS = 8


class Erp:
    """Books under the world's lock; judging happens outside it."""

    def __init__(self, *, world: World) -> None:
        self._ledger = world.ledger
        self._lock = world.lock
        self._seed = world.seed
        self.index()

    def routes(self) -> Routes:
        return {
            ("POST", _POSTINGS): Route(self.submit, signed_in=True, note=self.note_unanswered, problem=erp_error),
            ("GET", _POSTINGS): Route(self.find, signed_in=True, problem=erp_error),
            ("GET", f"{_POSTINGS}/booked"): Route(self.list_booked, signed_in=True, problem=erp_error),
            ("GET", _CONTROL): Route(self.show_books),
            ("POST", _CONTROL): Route(self.change_books),
        }

    def index(self) -> None:
        effects = self._ledger.effects_of(SYSTEM)
        self._by_key = {effect["key"]: effect for effect in reversed(effects)}
        self._by_business_key: dict[tuple[str, str], list[Record]] = {}
        self._numbers = {effect["document"] for effect in effects}
        for effect in effects:
            self._by_business_key.setdefault((effect["type"], effect["business_key"]), []).append(effect)
        self._books = Books.fresh()
        for setting in self._ledger.settings:
            if setting["system"] == SYSTEM:
                self._books = self._books.changed(setting["change"])

    def close(self) -> None:
        """Nothing is held."""

    def submit(self, request: Request) -> Reply:
        """Judge and book. The fault is noted with the attempt; `refuse` and `error_in_200` refuse what is right."""
        attempt = attempt_of(SYSTEM, request)
        if not request.key:
            return self._answer(attempt, erp_error(400, "KEY_MISSING", "The header Idempotency-Key is missing."))
        try:
            content = content_of(request.body)
        except Refused as refused:
            return self._answer(attempt, refused.reply)
        attempt["business_key"] = _business_key(content)
        if request.fault in (FaultName.REFUSE, FaultName.ERROR_IN_200):
            told = [Message("ZFI/099", "Told to refuse this posting")]
            status = 400 if request.fault is FaultName.REFUSE else 200
            return self._answer(attempt, refusal(request, told, status=status))
        books = self._books
        if books.honours_keys and (known := self._by_key.get(request.key)) is not None:
            return self._answer(attempt, _again(known, attempt))
        messages = [*judge(content, books), *self._judge_link(content)]
        if any(message.severity == "error" for message in messages) or (messages and not is_lenient(request)):
            return self._answer(attempt, refusal(request, messages))
        return self._book(attempt, content, request, messages)

    def _book(self, attempt: Record, content: Content, request: Request, messages: list[Message]) -> Reply:
        with self._lock:
            if self._books.honours_keys and (known := self._by_key.get(attempt["key"])) is not None:
                return self._answer(attempt, _again(known, attempt), locked=True)
            place = (content["type"], attempt["business_key"])
            booked = self._by_business_key.setdefault(place, [])
            if self._books.deduplicates_references and booked:
                return self._answer(attempt, _posted_already(request, content, booked[0]), locked=True)
            copies = 2 if request.fault is FaultName.BOOK_TWICE else 1
            effects = [self._effect(attempt, content, request.body, ordinal=len(booked) + n) for n in range(copies)]
            reply = json_reply(201, _receipt(effects[0]) | _warnings(messages))
            if request.fault is FaultName.ALREADY_DONE_4XX:
                reply = _posted_already(request, content, effects[0])
            attempt["status"] = reply.status
            self._ledger.append(*effects, attempt)
            self._by_key[attempt["key"]] = effects[0]
            booked += effects
        return reply

    def _judge_link(self, content: Content) -> list[Message]:
        """A reversing entry must name a document that is booked and not reversed yet."""
        reference = text_of(content, "reverses")
        if not reference:
            return []
        with self._lock:
            effects = self._ledger.effects_of(SYSTEM)
            if any(text_of(effect["posting"], "reverses") == reference for effect in effects):
                return [Message("ZFI/091", f"Document {reference} is reversed already", "reverses")]
            if not any(f"{effect['document']}/{effect['fiscal_year']}" == reference for effect in effects):
                return [Message("ZFI/092", f"Document {reference} is not there to be reversed", "reverses")]
        return []

    def _effect(self, attempt: Record, content: Content, body: bytes, *, ordinal: int) -> Record:
        posting_date = date_in(content, "posting_date")
        return {
            "record": "effect",
            "system": SYSTEM,
            "effect": "posted",
            "at": attempt["at"],
            "key": attempt["key"],
            "business_key": attempt["business_key"],
            "sha256": attempt["sha256"],
            "type": content["type"],
            "company": text_of(content, "company"),
            "number": text_of(content, TYPES[content["type"]]),
            "document": self._document_number(attempt, content["type"], ordinal),
            "fiscal_year": posting_date.year if posting_date else None,
            "posting": json.loads(body, parse_float=str),  # digits as they came
        }

    def _document_number(self, attempt: Record, kind: str, ordinal: int) -> str:
        """From seed and content alone, so that the same run gives the same numbers whatever the order."""
        source = f"{self._seed}|{kind}|{attempt['business_key']}|{attempt['sha256']}|{ordinal}".encode()
        number = int(hashlib.sha256(source).hexdigest(), 16)
        while True:
            document = f"{_NUMBER_RANGES[kind]}{number % 10**_NUMBER_DIGITS:0{_NUMBER_DIGITS}}"
            if document not in self._numbers:
                self._numbers.add(document)
                return document
            number += 1

    def _answer(self, attempt: Record, reply: Reply, *, locked: bool = False) -> Reply:
        attempt["status"] = reply.status
        if locked:
            self._ledger.append(attempt)
        else:
            with self._lock:
                self._ledger.append(attempt)
        return reply

    def note_unanswered(self, request: Request, status: int | None) -> None:
        """An attempt that a fault stopped before the ERP looked at it."""
        with self._lock:
            self._ledger.append(attempt_of(SYSTEM, request) | {"status": status})

    def find(self, request: Request) -> Reply:
        asked = {name: request.query.get(name, "") for name in ("company", "type", "reference")}
        if not all(asked.values()):
            return erp_error(400, "QUESTION_INCOMPLETE", "Ask with ?company=, type= and reference=.")
        with self._lock:
            place = (asked["type"], f"{asked['company']}|{asked['reference']}")
            found = list(self._by_business_key.get(place, []))
        return json_reply(200, {"postings": [{**_receipt(effect), "posting": effect["posting"]} for effect in found]})

    def list_booked(self, request: Request) -> Reply:
        with self._lock:
            effects = self._ledger.effects_of(SYSTEM)
        return booked_page(
            request,
            effects,
            name="postings",
            told=lambda effect: {**_receipt(effect), "posting": effect["posting"]},
            problem=erp_error,
        )

    def show_books(self, request: Request) -> Reply:
        return json_reply(200, self._books.as_json())

    def change_books(self, request: Request) -> Reply:
        """Change the set-up: `{"close_periods": ["2026-11"], "add": {"cost_centers": {"CC-1": {"blocked": true}}}}`.

        It is kept in the ledger, so that a restart forgets nothing of it. `Books.changed` knows every change.
        """
        change = request.json_object()
        with self._lock:
            try:
                books = self._books.changed(change)
            except ChangeNotUnderstood as error:
                return problem(400, "CHANGE_NOT_UNDERSTOOD", str(error))
            self._ledger.append({"record": "setting", "system": SYSTEM, "change": change})
            self._books = books
        return self.show_books(request)


def content_of(body: bytes) -> Content:
    """Raises Refused for what is no posting."""
    try:
        content = json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused(erp_error(400, "ZFI/001", "The body is not JSON.")) from None
    if not isinstance(content, dict) or content.get("type") not in tuple(TYPES):
        known = " or ".join(TYPES)
        raise Refused(erp_error(400, "ZFI/001", f"The body is not a posting: its type must be {known}."))
    return content


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number in JSON.")


def _business_key(content: Content) -> str:
    return f"{text_of(content, 'company')}|{text_of(content, TYPES[content['type']])}"


def is_lenient(request: Request) -> bool:
    """RFC 7240: a sender that accepts warnings says so."""
    preferences = request.headers.get("prefer", "").replace(" ", "").lower().split(",")
    return "handling=lenient" in preferences


def _receipt(effect: Record) -> dict[str, Any]:
    return {"document": effect["document"], "fiscal_year": effect["fiscal_year"], "posted_at": effect["at"]}


def _warnings(messages: list[Message]) -> dict[str, Any]:
    return {"messages": [message.as_json() for message in messages]} if messages else {}


def _posted_already(request: Request, content: Content, booked: Record) -> Reply:
    text = f"A document with this reference has been posted as {booked['document']}"
    return refusal(request, [Message("ZFI/070", text, TYPES[content["type"]])], status=409)


def _again(known: Record, attempt: Record) -> Reply:
    if known["sha256"] == attempt["sha256"]:
        return json_reply(200, _receipt(known))
    return erp_error(422, "KEY_REUSED", "This Idempotency-Key was used for other content.")


def refusal(request: Request, messages: list[Message], *, status: int = 400) -> Reply:
    """All messages at once; the head repeats the gravest."""
    head = next((message for message in messages if message.severity == "error"), messages[0])
    details = [message.as_json() for message in messages]
    transaction = hashlib.sha256(request.key.encode() + request.body).hexdigest()[:32].upper()
    return erp_error(status, head.code, head.text, innererror={"transactionid": transaction, "errordetails": details})


def erp_error(status: int, code: str, text: str, **more: Any) -> Reply:
    return json_reply(status, {"error": {"code": code, "message": {"lang": "en", "value": text}, **more}})
