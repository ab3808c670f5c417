"""What many exceptions have in common: code, field and class of counterparty; never the words about one of them."""

import hashlib
from datetime import datetime

from exceptions_app.models import Cause
from integrations.refusals import RefusalError, RefusedTransaction, leading_error


def cause_of(transaction: RefusedTransaction, *, connector: str, at: datetime) -> Cause:
    """The cause of a refusal, made when it is first seen. The first error leads: connectors put the root there."""
    leading = leading_error(transaction.refusal)
    code = leading.code if leading else transaction.refusal.sub
    field = (leading.field or leading.term) if leading else ""
    counterparty_class = transaction.record.headline.counterparty.country
    parts = (connector, code, leading.term or field if leading else "", counterparty_class)
    fingerprint = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    cause, _ = Cause.objects.get_or_create(
        fingerprint=fingerprint,
        defaults={
            "connector": connector,
            "code": code[:100],
            "field": field[:100],
            "counterparty_class": counterparty_class[:60],
            "title": _title(leading, code)[:300],
            "first_seen_at": at,
        },
    )
    return cause


def _title(leading: RefusalError | None, code: str) -> str:
    """What is wrong, without particulars: they belong to one exception, and a cause is shared with others.

    The other system's own text may have them, so it never becomes a title.
    """
    words = (leading.general or leading.plain) if leading else ""
    return words or f"Refused with {code}."
