"""The documents of a rehearsal: refused journals and suppliers, each under a number of its own."""

import json
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Any, Final

from integrations.connectors.base import Operation

JSON: Final = "application/json"
_REFUSED_STATUS, _TIMED_OUT_STATUS = 400, 504
_KNOWN_ALL_ALONG: Final = 0.2  # of what a source lost sight of: it was booked


@dataclass(frozen=True, slots=True)
class _Form:
    """A field that is missing when the document comes in, and where its number stands."""

    missing_at: str
    mend: str
    code: str
    says: str
    number_at: str


_JOURNAL: Final = _Form(
    "/lines/0/cost_center", "CC-1000", "KI/235", "Account 630000 requires a cost object", "/reference"
)
_SUPPLIER: Final = _Form("/payment_terms", "N30", "ZMD/002", "Enter a payment terms", "/id")


@dataclass(frozen=True, slots=True)
class Document:
    """`doubtful`: the source lost sight of it, so that it may have been booked; else the target refused it."""

    reference: str
    amount: str
    is_supplier: bool = False
    doubtful: bool = False
    booked_before: bool = False  # and in truth it was
    twin_of: str = ""  # the source numbered the same document twice; a clerk sees it and puts the number right
    unapproved: bool = False  # nobody agrees to it, and still somebody writes it into the outbox

    @property
    def right(self) -> bytes:
        return self._written(self.twin_of or self.reference, self._form.mend)

    @property
    def as_it_came(self) -> bytes:
        return self.right if self.doubtful else self._written(self.reference, "")

    @property
    def refusal(self) -> bytes:
        if self.doubtful:
            return b""
        form = self._form
        detail = {"code": form.code, "message": form.says, "propertyref": form.missing_at, "severity": "error"}
        head = {"code": form.code, "message": {"lang": "en", "value": form.says}}
        return json.dumps({"error": head | {"innererror": {"errordetails": [detail]}}}).encode()

    @property
    def refusal_status(self) -> int:
        return _TIMED_OUT_STATUS if self.doubtful else _REFUSED_STATUS

    @property
    def correction(self) -> list[Operation]:
        """Empty for what is right as it came."""
        if self.doubtful:
            return []
        found: list[Operation] = [{"op": "add", "path": self._form.missing_at, "value": self._form.mend}]
        if self.twin_of:
            found.append({"op": "replace", "path": self._form.number_at, "value": self.twin_of})
        return found

    @property
    def place(self) -> tuple[str, str]:
        """Method and path by which a source would book it at the target itself."""
        return ("PUT", f"/erp/partners/supplier/{self.reference}") if self.is_supplier else ("POST", "/erp/postings")

    @property
    def _form(self) -> _Form:
        return _SUPPLIER if self.is_supplier else _JOURNAL

    def _written(self, reference: str, mend: str) -> bytes:
        content = _supplier(reference, mend) if self.is_supplier else _journal(reference, mend, self.amount)
        return json.dumps(content, indent=2).encode()


def documents_of(
    kind: str,
    number: int,
    *,
    run: int,
    seed: int,
    suppliers: bool = False,
    twins: float = 0.0,
    unapproved: float = 0.0,
    doubtful: float = 0.0,
) -> list[Document]:
    """`number` documents to replay, and besides, as shares of it, `twins` and what nobody approves.

    `run` keeps the numbers of one rehearsal apart from those of another at the same target.
    """
    draw = Random(f"{seed}|{kind}")  # noqa: S311 - repeatable, not secret
    found = []
    for place in range(number):
        in_doubt = draw.random() < doubtful
        found.append(
            Document(
                _reference("S", run, place),
                f"{draw.randint(100, 999_999) / 100:.2f}",
                is_supplier=suppliers,
                doubtful=in_doubt,
                booked_before=in_doubt and draw.random() < _KNOWN_ALL_ALONG,
            )
        )
    certain = [document for document in found if not document.doubtful][: ceil(number * twins)]
    found += [
        Document(_reference("T", run, place), of.amount, is_supplier=suppliers, twin_of=of.reference)
        for place, of in enumerate(certain)
    ]
    found += [
        Document(_reference("U", run, place), "999.00", is_supplier=suppliers, unapproved=True)
        for place in range(ceil(number * unapproved))
    ]
    return found


def _reference(letter: str, run: int, place: int) -> str:
    """As the target of suppliers wants its numbers: a letter and up to eight digits."""
    return f"{letter}-{run:02}{place:05}"


def _journal(reference: str, cost_center: str, amount: str) -> dict[str, Any]:
    debit = {"account": "630000", "debit": amount, "text": "Office rent"}
    return {
        "type": "journal",
        "company": "NL01",
        "reference": reference,
        "posting_date": "2026-11-30",
        "currency": "EUR",
        "text": "Accrual",
        "lines": [
            debit | ({"cost_center": cost_center} if cost_center else {}),
            {"account": "190000", "credit": amount, "text": "Accrued liabilities"},
        ],
    }


def _supplier(number: str, payment_terms: str) -> dict[str, Any]:
    content = {
        "type": "supplier",
        "id": number,
        "company": "NL01",
        "name": f"Supplier {number}",
        "country": "NL",
        "city": "Rotterdam",
        "currency": "EUR",
    }
    return content | ({"payment_terms": payment_terms} if payment_terms else {})
