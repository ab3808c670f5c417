"""The simulated bank: takes payment files, books what it accepts once, answers with a status report, can be asked."""

import hashlib
from collections.abc import Sequence
from typing import Any

from integrations.simulator.bank_accounts import Accounts, ChangeNotUnderstood, Reason
from integrations.simulator.booked import booked_page
from integrations.simulator.faults import FaultName
from integrations.simulator.ledger import Record
from integrations.simulator.payment_orders import NOT_PROVIDED, FileRefused, Order, OrderFile, decimal_of, read_orders
from integrations.simulator.replies import Reply, json_reply, problem, xml_reply
from integrations.simulator.routes import Request, Route, Routes, World, attempt_of
from integrations.simulator.status_reports import ACCEPTED, PENDING, REJECTED, Decision, report_of_refusal, report_on

SYSTEM = "bank"
_PAYMENTS = "/bank/payments"
_CONTROL = "/control/bank"
_TOLD = ("reference", "end_to_end_id", "amount", "currency", "creditor_account", "execution_date", "message_id")


class Bank:
    """Books under the world's lock. A message identifier is used up as soon as anything of its file was booked."""

    def __init__(self, *, world: World) -> None:
        self._ledger = world.ledger
        self._lock = world.lock
        self._seed = world.seed
        self.index()

    def routes(self) -> Routes:
        return {
            ("POST", _PAYMENTS): Route(self.submit, signed_in=True, note=self.note_unanswered),
            ("GET", _PAYMENTS): Route(self.find, signed_in=True),
            ("GET", f"{_PAYMENTS}/booked"): Route(self.list_booked, signed_in=True),
            ("GET", _CONTROL): Route(self.show_accounts),
            ("POST", _CONTROL): Route(self.change_accounts),
        }

    def index(self) -> None:
        self._booked: list[Record] = self._ledger.effects_of(SYSTEM)
        self._files = {effect["message_id"] for effect in self._booked}
        self._names = {effect["business_key"] for effect in self._booked if effect["end_to_end_id"] != NOT_PROVIDED}
        self._accounts = Accounts()
        for setting in self._ledger.settings:
            if setting["system"] == SYSTEM:
                self._accounts = self._accounts.changed(setting["change"])

    def close(self) -> None:
        """Nothing is held."""

    def submit(self, request: Request) -> Reply:
        """Judge and book. The fault is noted with the attempt; `refuse` refuses even what is right."""
        attempt = attempt_of(SYSTEM, request)
        try:
            file = read_orders(request.body)
        except FileRefused as error:
            with self._lock:
                return self._answer(attempt, problem(400, error.code, error.detail))
        attempt["business_key"] = _name_of(file)
        with self._lock:
            if request.fault is FaultName.ERROR_IN_200:  # a bank says 200 with every report, so this one has none
                return self._answer(attempt, problem(200, "INTERNAL", "The file could not be taken."))
            reason = self._whole_file(file, request)
            if reason is not None:
                return self._answer(attempt, xml_reply(200, report_of_refusal(file, reason, report_id=_id(attempt))))
            decisions = self._decide(file)
            if request.fault is FaultName.HALF_ACCEPT:
                decisions = _half_of(decisions)
            effects = self._effects(attempt, file, decisions, copies=2 if request.fault is FaultName.BOOK_TWICE else 1)
            attempt["status"] = 409 if request.fault is FaultName.ALREADY_DONE_4XX else 200
            self._ledger.append(*effects, attempt)
            self._remember(effects)
        if request.fault is FaultName.ALREADY_DONE_4XX:
            return xml_reply(409, report_of_refusal(file, _received_before(file), report_id=_id(attempt)))
        return xml_reply(200, report_on(file, decisions, report_id=_id(attempt)))

    def _whole_file(self, file: OrderFile, request: Request) -> Reason | None:
        """What refuses a file before anyone looks at its orders."""
        if request.fault is FaultName.REFUSE:
            return Reason("MS03", "The bank was told to refuse this file")
        if file.message_id in self._files:
            return _received_before(file)
        if file.fault:
            return Reason("FF01", file.fault)
        if file.stated_count != str(len(file.orders)):
            return Reason("AM18", f"{file.stated_count} stated, {len(file.orders)} found")
        if file.stated_sum and decimal_of(file.stated_sum) != file.total:
            return Reason("AM10", f"{file.stated_sum} stated, {file.total} found")
        return None

    def _decide(self, file: OrderFile) -> list[Decision]:
        """One order after the other, so that the second of two with one identifier is the duplicate."""
        taken: set[str] = set()
        decisions = []
        for number, order in enumerate(file.orders, start=1):
            reason = self._accounts.judge(order)
            known = order.business_key in self._names or order.business_key in taken
            if known and order.end_to_end_id != NOT_PROVIDED:
                reason = Reason("AM05", f"{order.end_to_end_id} was executed before")
            if reason is not None:
                decisions.append(Decision(order, REJECTED, reason))
            elif self._accounts.is_pending:
                decisions.append(Decision(order, PENDING))
            else:
                taken.add(order.business_key)
                decisions.append(Decision(order, ACCEPTED, reference=self._reference(file, number)))
        return decisions

    def _reference(self, file: OrderFile, number: int) -> str:
        """From seed and content alone, so that the same run gives the same numbers whatever the order."""
        source = f"{self._seed}|{file.message_id}|{file.sha256}|{number}".encode()
        return f"BK{hashlib.sha256(source).hexdigest()[:12].upper()}"

    def _effects(self, attempt: Record, file: OrderFile, decisions: Sequence[Decision], *, copies: int) -> list[Record]:
        """A second copy is a booking of its own."""
        accepted = [decision for decision in decisions if decision.status == ACCEPTED]
        effects = [self._effect(attempt, file, decision) for decision in accepted]
        for copy in range(1, copies):
            effects += [effect | {"reference": f"{effect['reference']}{copy}"} for effect in list(effects)]
        return effects

    def _effect(self, attempt: Record, file: OrderFile, decision: Decision) -> Record:
        order = decision.order
        return {
            "record": "effect",
            "system": SYSTEM,
            "effect": "paid",
            "at": attempt["at"],
            "key": attempt["key"],
            "business_key": order.business_key,
            "sha256": file.sha256,
            "reference": decision.reference,
            "message_id": file.message_id,
            "instruction_id": order.instruction_id,
            "end_to_end_id": order.end_to_end_id,
            "debtor_account": order.debtor_account,
            "creditor_account": order.creditor_account,
            "amount": f"{order.amount:f}",
            "currency": order.currency,
            "execution_date": order.execution_date.isoformat() if order.execution_date else "",
        }

    def _remember(self, effects: list[Record]) -> None:
        self._booked += effects
        self._files |= {effect["message_id"] for effect in effects}
        self._names |= {effect["business_key"] for effect in effects if effect["end_to_end_id"] != NOT_PROVIDED}

    def _answer(self, attempt: Record, reply: Reply) -> Reply:
        attempt["status"] = reply.status
        self._ledger.append(attempt)
        return reply

    def note_unanswered(self, request: Request, status: int | None) -> None:
        """An attempt that a fault stopped before the bank looked at it."""
        attempt = attempt_of(SYSTEM, request)
        with self._lock:
            attempt["status"] = status
            self._ledger.append(attempt)

    def find(self, request: Request) -> Reply:
        """What was booked, by debtor's account and end-to-end identifier, or by the message that brought it."""
        asked = {"debtor_account": request.query.get("debtor", "")}
        asked |= {name: request.query[name] for name in ("end_to_end_id", "message_id") if name in request.query}
        if not asked["debtor_account"] or len(asked) == 1:
            return problem(400, "QUESTION_MISSING", "Ask with ?debtor=IBAN and end_to_end_id= or message_id=.")
        with self._lock:
            found = [effect for effect in self._booked if all(effect[name] == text for name, text in asked.items())]
        return json_reply(200, {"payments": [{name: effect[name] for name in _TOLD} for effect in found]})

    def list_booked(self, request: Request) -> Reply:
        with self._lock:
            effects = list(self._booked)
        return booked_page(request, effects, name="payments", told=_listed, problem=problem)

    def show_accounts(self, request: Request) -> Reply:
        with self._lock:
            return json_reply(200, self._accounts.as_json())

    def change_accounts(self, request: Request) -> Reply:
        """Open, close and block accounts, set limit and cut-off; kept in the ledger, so that a restart knows it."""
        change: dict[str, Any] = request.json_object()
        with self._lock:
            try:
                self._accounts = self._accounts.changed(change)
            except ChangeNotUnderstood as error:
                return problem(400, "NOT_UNDERSTOOD", error.detail)
            self._ledger.append({"record": "setting", "system": SYSTEM, "change": change})
            return json_reply(200, self._accounts.as_json())


def _received_before(file: OrderFile) -> Reason:
    return Reason("DU01", f"Message {file.message_id} was received before")


def _half_of(decisions: Sequence[Decision]) -> list[Decision]:
    """The first half of what was accepted stays so; the rest is rejected."""
    accepted = [decision for decision in decisions if decision.status == ACCEPTED]
    spared = accepted[(len(accepted) + 1) // 2 :]
    reason = Reason("MS03", "The bank was told to take only half of this file")
    return [Decision(one.order, REJECTED, reason) if one in spared else one for one in decisions]


def _listed(effect: Record) -> Record:
    names = (*_TOLD, "debtor_account", "instruction_id")
    return {name: effect[name] for name in names} | {"booked_at": effect["at"]}


def _name_of(file: OrderFile) -> str:
    """Of a file with one order what the order is called, else what the file is called."""
    orders: tuple[Order, ...] = file.orders
    return orders[0].business_key if len(orders) == 1 else file.message_id


def _id(attempt: Record) -> str:
    """The report's own identifier, another one for each attempt."""
    source = f"{attempt['at']}|{attempt['sha256']}"
    return f"RP{hashlib.sha256(source.encode()).hexdigest()[:20].upper()}"
