"""One transaction as a JSON document, and the tag that changes with it."""

from typing import Any
from zlib import crc32

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.reverse import reverse

from exceptions_app.api.responses import Money, Shape, money_of
from exceptions_app.handover_states import TransactionState
from exceptions_app.models import Transaction
from exceptions_app.queries.transactions import Sight


class FirstShape(Shape):
    """The transaction that this one repeats, as it stands now."""

    ref = serializers.CharField()
    url = serializers.URLField()
    state = serializers.ChoiceField(choices=[state.value for state in TransactionState])
    reference = serializers.CharField(help_text="The target's own reference, empty until it is delivered.")


class TransactionShape(Shape):
    """A transaction that was handed over for delivery, and how far it is."""

    ref = serializers.CharField(help_text="Ours, for instance TX-7.")
    url = serializers.URLField()
    id = serializers.CharField(help_text="The sender's own identifier.")
    connection = serializers.CharField()
    state = serializers.ChoiceField(
        choices=[state.value for state in TransactionState],
        help_text="checking, waiting, delivering and outcome_unknown go on by themselves. held: people work on its "
        "exception. delivered, duplicate and closed are ends.",
    )
    settled = serializers.BooleanField(help_text="Whether that is the end.")
    object_type = serializers.CharField(help_text="Kind of document, empty until it is read.")
    business_key = serializers.CharField(help_text="What the target calls the document, empty until it is read.")
    document_number = serializers.CharField()
    amount = Money(allow_null=True)
    reference = serializers.CharField(help_text="The target's own reference; of a repeat that of the first one.")
    outcome = serializers.CharField(help_text="How it was closed, empty otherwise.")
    problem = serializers.CharField(
        help_text="Why it is held or waits, in plain words; as the target said since, when it refused a replay."
    )
    message = serializers.URLField(
        help_text="The message that handed it over. Held without an exception, it could not be read: its message says "
        "why and what to do."
    )
    exception = serializers.CharField(
        allow_null=True, help_text="Reference of the exception that took it up; null while there is none."
    )
    duplicate_of = FirstShape(allow_null=True, help_text="The first one with the same document and content.")
    wait_until = serializers.DateTimeField(allow_null=True, help_text="When people are told that it still waits.")
    content_sha256 = serializers.CharField(help_text="Of what the target is to get, empty until it is read.")
    handed_over_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


def address_of(transaction: Transaction, request: Request) -> str:
    return str(reverse("api:transaction", args=[transaction.ref], request=request))


def tag_of(transaction: Transaction) -> str:
    """A strong tag: it changes with the transaction, with the first one that it repeats, and with what holds it."""
    parts = [transaction.revision]
    if transaction.duplicate_of is not None:
        parts.append(transaction.duplicate_of.revision)
    if transaction.present_problem != transaction.problem:
        parts.append(crc32(transaction.present_problem.encode()))
    return '"{}"'.format(".".join(map(str, parts)))


def document_of(transaction: Transaction, request: Request, sight: Sight) -> dict[str, Any]:
    first, known = transaction.duplicate_of, sight.knows_the_document(transaction)
    return {
        "ref": transaction.ref,
        "url": address_of(transaction, request),
        "id": transaction.external_id,
        "connection": transaction.connection.slug,
        "state": transaction.state,
        "settled": transaction.is_settled,
        "object_type": transaction.object_type,
        "business_key": transaction.business_key if known else "",
        "document_number": transaction.document_number if known else "",
        "amount": money_of(transaction.amount, transaction.currency) if known else None,
        "reference": first.reference if first is not None else transaction.reference,
        "outcome": transaction.outcome,
        "problem": transaction.present_problem if known else "",
        "message": reverse("api:message", args=[transaction.inbox_message_id], request=request),
        "exception": transaction.case.ref if transaction.case is not None and known else None,
        "duplicate_of": _first(first, request) if first is not None else None,
        "wait_until": transaction.wait_until,
        "content_sha256": transaction.content_sha256,
        "handed_over_at": transaction.handed_over_at,
        "changed_at": transaction.changed_at,
    }


def _first(first: Transaction, request: Request) -> dict[str, str]:
    url = address_of(first, request)
    return {"ref": first.ref, "url": url, "state": first.state, "reference": first.reference}
