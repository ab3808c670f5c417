"""The simulated tax authority: judges a document, books it once, and can be asked for it."""

import hashlib

from integrations.simulator.booked import booked_page
from integrations.simulator.documents import Document, DocumentRefused, read_document
from integrations.simulator.faults import FaultName
from integrations.simulator.judge import Judge, NotCheckable, refuses, told_to_refuse
from integrations.simulator.ledger import Record
from integrations.simulator.replies import Reply, json_reply, problem, xml_reply
from integrations.simulator.routes import Request, Route, Routes, World, attempt_of

SYSTEM = "tax-authority"
_DOCUMENTS = "/tax-authority/documents"


class TaxAuthority:
    """Books under the world's lock; judging happens outside it."""

    def __init__(self, *, world: World) -> None:
        self._ledger = world.ledger
        self._judge = Judge()
        self._seed = world.seed
        self._lock = world.lock
        self.index()

    def routes(self) -> Routes:
        return {
            ("POST", _DOCUMENTS): Route(self.submit, signed_in=True, note=self.note_unanswered),
            ("GET", _DOCUMENTS): Route(self.find, signed_in=True),
            ("GET", f"{_DOCUMENTS}/booked"): Route(self.list_booked, signed_in=True),
            ("POST", "/tax-authority/validate"): Route(self.validate, signed_in=True),
        }

    def index(self) -> None:
        effects = self._ledger.effects_of(SYSTEM)
        self._by_key = {effect["key"]: effect for effect in reversed(effects)}
        self._by_business_key: dict[str, list[Record]] = {}
        for effect in effects:
            self._by_business_key.setdefault(effect["business_key"], []).append(effect)

    def close(self) -> None:
        self._judge.close()

    def submit(self, request: Request) -> Reply:
        """Judge and book. The fault is noted with the attempt; `refuse` and `error_in_200` refuse what is valid."""
        key, body, fault = request.key, request.body, request.fault
        attempt = attempt_of(SYSTEM, request)
        if not key:
            return self._answer(attempt, problem(400, "KEY_MISSING", "The header Idempotency-Key is missing."))
        try:
            document = read_document(body)
        except DocumentRefused as error:
            return self._answer(attempt, problem(400, error.code, error.detail))
        attempt["business_key"] = document.business_key
        if fault in (FaultName.REFUSE, FaultName.ERROR_IN_200):
            status = 422 if fault is FaultName.REFUSE else 200
            return self._answer(attempt, xml_reply(status, told_to_refuse()))
        if (known := self._by_key.get(key)) is not None:
            return self._answer(attempt, _again(known, document))
        try:
            report = self._judge.report(document.text)
        except NotCheckable as error:
            return self._answer(attempt, problem(400, "NOT_CHECKABLE", str(error)))
        if refuses(report):
            return self._answer(attempt, xml_reply(422, report))
        return self._book(attempt, document, fault)

    def _book(self, attempt: Record, document: Document, fault: FaultName) -> Reply:
        with self._lock:
            if (known := self._by_key.get(attempt["key"])) is not None:
                return self._answer(attempt, _again(known, document), locked=True)
            booked = self._by_business_key.setdefault(document.business_key, [])
            if booked:
                return self._answer(attempt, _duplicate(booked[0]), locked=True)
            copies = 2 if fault is FaultName.BOOK_TWICE else 1
            effects = [self._effect(attempt, document, ordinal) for ordinal in range(copies)]
            reply = (
                _duplicate(effects[0]) if fault is FaultName.ALREADY_DONE_4XX else json_reply(201, _receipt(effects[0]))
            )
            attempt["status"] = reply.status
            self._ledger.append(*effects, attempt)
            self._by_key[attempt["key"]] = effects[0]
            booked += effects
        return reply

    def _effect(self, attempt: Record, document: Document, ordinal: int) -> Record:
        return {
            "record": "effect",
            "system": SYSTEM,
            "effect": "accepted",
            "at": attempt["at"],
            "key": attempt["key"],
            "business_key": document.business_key,
            "seller": document.seller,
            "number": document.number,
            "sha256": document.sha256,
            "clearance": self._clearance(document, ordinal),
        }

    def _clearance(self, document: Document, ordinal: int) -> str:
        """From seed and content alone, so that the same run gives the same numbers whatever the order."""
        again = f"|{ordinal}" if ordinal else ""
        source = f"{self._seed}|{document.business_key}|{document.sha256}{again}".encode()
        return f"CLR-{hashlib.sha256(source).hexdigest()[:12].upper()}"

    def _answer(self, attempt: Record, reply: Reply, *, locked: bool = False) -> Reply:
        attempt["status"] = reply.status
        if locked:
            self._ledger.append(attempt)
        else:
            with self._lock:
                self._ledger.append(attempt)
        return reply

    def note_unanswered(self, request: Request, status: int | None) -> None:
        """An attempt that a fault stopped before the authority looked at it."""
        with self._lock:
            self._ledger.append(attempt_of(SYSTEM, request) | {"status": status})

    def find(self, request: Request) -> Reply:
        business_key = request.query.get("business_key", "")
        if not business_key:
            return problem(400, "BUSINESS_KEY_MISSING", "Ask with ?business_key=SELLER|NUMBER.")
        with self._lock:
            found = list(self._by_business_key.get(business_key, []))
        documents = [{**_receipt(effect), "accepted_at": effect["at"]} for effect in found]
        return json_reply(200, {"documents": documents})

    def list_booked(self, request: Request) -> Reply:
        with self._lock:
            effects = self._ledger.effects_of(SYSTEM)
        return booked_page(
            request,
            effects,
            name="documents",
            told=lambda effect: {**_receipt(effect), "accepted_at": effect["at"]},
            problem=problem,
        )

    def validate(self, request: Request) -> Reply:
        """Judge without effect: `accepted`, and the report as text."""
        try:
            report = self._judge.report(read_document(request.body).text)
        except DocumentRefused as error:
            return problem(400, error.code, error.detail)
        except NotCheckable as error:
            return problem(400, "NOT_CHECKABLE", str(error))
        return json_reply(200, {"accepted": not refuses(report), "report": report.decode()})


def _receipt(effect: Record) -> Record:
    return {name: effect[name] for name in ("clearance", "number", "seller", "sha256")}


def _duplicate(booked: Record) -> Reply:
    told = {"code": "DUPLICATE_DOCUMENT", "clearance": booked["clearance"], "sha256": booked["sha256"]}
    return json_reply(409, told)


def _again(known: Record, document: Document) -> Reply:
    if known["sha256"] == document.sha256:
        return json_reply(200, _receipt(known))
    return problem(422, "KEY_REUSED", "This Idempotency-Key was used for other content.")
