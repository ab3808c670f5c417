"""Invoices for tests, valid unless a test breaks them."""

from datetime import date
from random import Random

from integrations.demo.companies import MERIDIAN_NL, customer
from integrations.demo.invoices import build_invoice
from integrations.demo.plans import plan_invoice


def valid_invoice(number: str = "INV-1001", *, seed: int = 1) -> bytes:
    """A valid domestic Dutch invoice; another seed gives other lines and amounts."""
    plan = plan_invoice(
        Random(seed),  # noqa: S311 — repeatable, not secret
        number=number,
        seller=MERIDIAN_NL,
        buyer=customer("Van Loon"),
        issue_date=date(2026, 11, 2),
    )
    return build_invoice(plan)


def without_issue_date(content: bytes) -> bytes:
    """The same invoice as the official validator refuses it, with BR-03."""
    return content.replace(b"  <cbc:IssueDate>2026-11-02</cbc:IssueDate>\n", b"", 1)
