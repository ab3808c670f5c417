"""What many exceptions have in common: code, field and class of counterparty; never the text."""

import hashlib
from datetime import datetime

from exceptions_app.models import Cause
from integrations.refusals import RefusedTransaction, Severity


def cause_of(transaction: RefusedTransaction, *, connector: str, at: datetime) -> Cause:
    """The cause of a refusal, made when it is first seen. The first error leads: connectors put the root there."""
    errors = [error for error in transaction.refusal.errors if error.severity is Severity.ERROR]
    leading = next(iter([*errors, *transaction.refusal.errors]), None)
    code = leading.code if leading else transaction.refusal.sub
    field = (leading.field or leading.term) if leading else ""
    counterparty_class = transaction.record.headline.counterparty.country
    parts = (connector, code, leading.term or field if leading else "", counterparty_class)
    fingerprint = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    words = (leading.plain or leading.text) if leading else transaction.refusal.sub
    cause, _ = Cause.objects.get_or_create(
        fingerprint=fingerprint,
        defaults={
            "connector": connector,
            "code": code[:100],
            "field": field[:100],
            "title": words[:300],
            "first_seen_at": at,
        },
    )
    return cause
