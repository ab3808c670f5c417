"""The simulated ERP's master data: suppliers and customers, each kept once, by PUT. A repeat changes nothing.

Every change that took place is an effect and stays in the partner's list of changes, so that one can ask whether a
change arrived even when another has come after it. A change that says on which version it is based is refused when
there is a newer one, so that what is late overwrites nothing.
"""

import json
import re
from typing import Any, Final

from integrations.simulator.bank_accounts import has_check_digits
from integrations.simulator.erp import erp_error, is_lenient, refusal
from integrations.simulator.erp_books import Books
from integrations.simulator.erp_judge import Message, date_in, text_of
from integrations.simulator.faults import FaultName
from integrations.simulator.ledger import Record
from integrations.simulator.replies import Reply, json_reply
from integrations.simulator.routes import Refused, Request, Route, Routes, World, attempt_of

SYSTEM = "erp-master"
KINDS: Final = ("supplier", "customer")
PAYMENT_TERMS: Final = ("N0", "N14", "N30", "N45", "N60")
_PARTNERS = "/erp/partners/*"
_NUMBER = re.compile(r"[A-Z]{1,2}-[0-9]{3,8}")
_MOST_CHANGES = 50

Content = dict[str, Any]


class MasterData:
    """Changes under the world's lock; a partner is what its last change says."""

    def __init__(self, *, world: World) -> None:
        self._ledger = world.ledger
        self._lock = world.lock
        self.index()

    def routes(self) -> Routes:
        return {
            ("PUT", _PARTNERS): Route(self.put, signed_in=True, note=self.note_unanswered, problem=erp_error),
            ("GET", _PARTNERS): Route(self.find, signed_in=True, problem=erp_error),
        }

    def index(self) -> None:
        self._changes: dict[tuple[str, str], list[Record]] = {}
        for effect in self._ledger.effects_of(SYSTEM):
            self._changes.setdefault((effect["type"], effect["business_key"]), []).append(effect)

    def close(self) -> None:
        """Nothing is held."""

    def put(self, request: Request) -> Reply:
        """Judge, and keep what differs from what is there. The fault is noted with the attempt."""
        attempt = attempt_of(SYSTEM, request)
        with self._lock:
            try:
                place, content = _named(request)
            except Refused as refused:
                return self._answer(attempt, refused.reply)
            attempt["business_key"] = place[1]
            if request.fault in (FaultName.REFUSE, FaultName.ERROR_IN_200):
                status = 400 if request.fault is FaultName.REFUSE else 200
                told = [Message("ZFI/099", "Told to refuse this change")]
                return self._answer(attempt, refusal(request, told, status=status))
            changes = self._changes.get(place, [])
            if changes and _without_version(changes[-1]["partner"]) == _without_version(content):
                return self._answer(
                    attempt | {"unchanged": True}, json_reply(200, _receipt(changes[-1], changed=False))
                )
            if messages := _stale(content, changes):
                return self._answer(attempt, refusal(request, messages, status=412))
            messages = [*judge(content), *warnings(content, changes[-1]["partner"] if changes else None)]
            if any(message.severity == "error" for message in messages) or (messages and not is_lenient(request)):
                return self._answer(attempt, refusal(request, messages))
            return self._keep(attempt, place, content, request)

    def _keep(self, attempt: Record, place: tuple[str, str], content: Content, request: Request) -> Reply:
        """Told to book twice, it keeps the same content a second time, which changes nothing."""
        changes = self._changes.setdefault(place, [])
        effect = {
            "record": "effect",
            "system": SYSTEM,
            "effect": "changed" if changes else "created",
            "at": attempt["at"],
            "key": attempt["key"],
            "business_key": place[1],
            "sha256": attempt["sha256"],
            "type": place[0],
            "version": len(changes) + 1,
            "partner": content,
        }
        reply = json_reply(200 if changes else 201, _receipt(effect, changed=True))
        if request.fault is FaultName.ALREADY_DONE_4XX:
            text = f"{place[0].capitalize()} {place[1]} says this already, since version {effect['version']}"
            reply = refusal(request, [Message("ZMD/070", text, "id")], status=409)
        attempt["status"] = reply.status
        self._ledger.append(effect, attempt)
        changes.append(effect)
        return reply

    def _answer(self, attempt: Record, reply: Reply) -> Reply:
        self._ledger.append(attempt | {"status": reply.status})
        return reply

    def note_unanswered(self, request: Request, status: int | None) -> None:
        """An attempt that a fault stopped before the ERP looked at it."""
        with self._lock:
            self._ledger.append(attempt_of(SYSTEM, request) | {"status": status})

    def find(self, request: Request) -> Reply:
        """The last changes of one partner, the newest last; an empty list when it is not there."""
        place = _place(request)
        with self._lock:
            changes = self._changes.get(place, [])[-_MOST_CHANGES:]
        told = [{**_receipt(change, changed=True), "content": change["partner"]} for change in changes]
        return json_reply(200, {"changes": told})


def _place(request: Request) -> tuple[str, str]:
    """Raises Refused."""
    kind, _, number = request.rest.partition("/")
    if kind not in KINDS or not _NUMBER.fullmatch(number):
        known = " or ".join(KINDS)
        raise Refused(erp_error(400, "ZMD/001", f"Name a {known} and a number, such as supplier/S-2001."))
    return kind, number


def _named(request: Request) -> tuple[tuple[str, str], Content]:
    """The partner that the address names and what the body says of it; raises Refused."""
    place = _place(request)
    content = content_of(request.body)
    if (content.get("type"), content.get("id")) != place:
        raise Refused(erp_error(400, "ZMD/001", "The body is about another partner than the address."))
    return place, content


def content_of(body: bytes) -> Content:
    """Raises Refused for what is no partner."""
    try:
        content = json.loads(body, parse_float=str)  # digits as they came
    except (ValueError, RecursionError):
        raise Refused(erp_error(400, "ZMD/001", "The body is not JSON.")) from None
    if not isinstance(content, dict) or content.get("type") not in KINDS:
        raise Refused(erp_error(400, "ZMD/001", f"The body is no partner: its type must be {' or '.join(KINDS)}."))
    return content


def judge(content: Content) -> list[Message]:
    """Every error at once; none when the ERP would keep it."""
    found = [
        Message("ZMD/002", f"Enter a {name.replace('_', ' ')}", name)
        for name in ("name", "company", "country", "payment_terms")
        if not text_of(content, name)
    ]
    company, country, terms, iban, vat_id = (
        text_of(content, name) for name in ("company", "country", "payment_terms", "iban", "vat_id")
    )
    if company and Books.fresh().entry("companies", company) is None:
        found.append(Message("ZFI/010", f"Company code {company} does not exist", "company"))
    if country and not re.fullmatch("[A-Z]{2}", country):
        found.append(Message("ZMD/020", f"Country {country} does not exist", "country"))
    if terms and terms not in PAYMENT_TERMS:
        found.append(Message("ZMD/030", f"Payment terms {terms} are not defined", "payment_terms"))
    if iban and not has_check_digits(iban.replace(" ", "")):
        found.append(Message("ZMD/040", f"IBAN {iban} is not valid", "iban"))
    if vat_id and country and not vat_id.startswith(country):
        found.append(Message("ZMD/041", f"VAT number {vat_id} does not belong to country {country}", "vat_id"))
    if text_of(content, "valid_from") and date_in(content, "valid_from") is None:
        found.append(Message("ZFI/003", "The date is not a date", "valid_from"))
    return found


def warnings(content: Content, before: Content | None) -> list[Message]:
    """Another bank account for a partner who is known: how payments are led astray, so that a person must see it."""
    if before is None or text_of(before, "iban") == text_of(content, "iban"):
        return []
    return [Message("ZMD/080", f"The bank account of {content['id']} is changed", "iban", "warning")]


def _stale(content: Content, changes: list[Record]) -> list[Message]:
    based_on = text_of(content, "version")
    if not based_on or based_on == str(len(changes)):
        return []
    text = f"{content['id']} was changed since version {based_on}; it has version {len(changes)}"
    return [Message("ZMD/071", text, "version")]


def _without_version(content: Content) -> Content:
    return {name: value for name, value in content.items() if name != "version"}


def _receipt(change: Record, *, changed: bool) -> dict[str, Any]:
    return {
        "partner": change["business_key"],
        "version": change["version"],
        "changed_at": change["at"],
        "changed": changed,
    }
