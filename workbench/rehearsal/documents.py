"""The postings of a rehearsal: refused journals, each with a reference of its own."""

import json
from dataclasses import dataclass
from random import Random
from typing import Any, Final

COST_CENTER: Final = "CC-1000"
COST_CENTER_AT: Final = "/lines/0/cost_center"
JSON: Final = "application/json"
_REFUSED_STATUS, _TIMED_OUT_STATUS = 400, 504


@dataclass(frozen=True, slots=True)
class Document:
    """`doubtful`: the source lost sight of it, so that it may have been booked; else the target refused it."""

    reference: str
    amount: str
    doubtful: bool = False
    booked_before: bool = False  # and in truth it was
    twin_of: str = ""  # the source numbered the same posting twice; a clerk sees it and puts the number right
    unapproved: bool = False  # nobody agrees to it, and still somebody writes it into the outbox

    @property
    def right(self) -> bytes:
        return _written(self._content(self.twin_of or self.reference, COST_CENTER))

    @property
    def as_it_came(self) -> bytes:
        return self.right if self.doubtful else _written(self._content(self.reference, ""))

    @property
    def refusal(self) -> bytes:
        if self.doubtful:
            return b""
        detail = {
            "code": "KI/235",
            "message": "Account 630000 requires a cost object",
            "propertyref": COST_CENTER_AT,
            "severity": "error",
        }
        head = {"code": "KI/235", "message": {"lang": "en", "value": detail["message"]}}
        return json.dumps({"error": head | {"innererror": {"errordetails": [detail]}}}).encode()

    @property
    def refusal_status(self) -> int:
        return _TIMED_OUT_STATUS if self.doubtful else _REFUSED_STATUS

    def _content(self, reference: str, cost_center: str) -> dict[str, Any]:
        debit = {"account": "630000", "debit": self.amount, "text": "Office rent"}
        return {
            "type": "journal",
            "company": "NL01",
            "reference": reference,
            "posting_date": "2026-11-30",
            "currency": "EUR",
            "text": "Accrual",
            "lines": [
                debit | ({"cost_center": cost_center} if cost_center else {}),
                {"account": "190000", "credit": self.amount, "text": "Accrued liabilities"},
            ],
        }


def documents_of(
    kind: str, number: int, *, run: int, seed: int, extras: bool = True, doubtful: float = 0.25
) -> list[Document]:
    """`number` documents to replay, and with `extras` some besides that must come to nothing.

    `run` keeps the references of one rehearsal apart from those of another at the same target.
    """
    draw = Random(f"{seed}|{kind}")  # noqa: S311 - repeatable, not secret
    found = []
    for place in range(number):
        in_doubt = draw.random() < doubtful
        found.append(
            Document(
                f"{run}-{kind}-{place:04}",
                f"{draw.randint(100, 999_999) / 100:.2f}",
                doubtful=in_doubt,
                booked_before=in_doubt and draw.random() < 0.2,
            )
        )
    few = max(2, number // 50) if extras else 0
    found += [
        Document(f"{run}-{kind}-{place:04}-twin", of.amount, twin_of=of.reference)
        for place, of in enumerate([document for document in found if not document.doubtful][:few])
    ]
    found += [Document(f"{run}-{kind}-{place:04}-unapproved", "999.00", unapproved=True) for place in range(few)]
    return found


def _written(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode()
