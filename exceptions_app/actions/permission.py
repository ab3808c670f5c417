"""What every delivery must prove before a byte leaves, whoever decided on it."""

import hashlib

from django.core.exceptions import ObjectDoesNotExist

from integrations.connectors.registry import get_connector
from integrations.models import Delivery
from integrations.outbox import idempotency_key
from integrations.refusals import MessageNotUnderstood


class NotApproved(Exception):
    """A delivery of a document without an approved decision for these very bytes: it is never sent."""


def content_of(delivery: Delivery) -> bytes:
    """The bytes that would be sent, when they are those that the delivery was written for; raises NotApproved."""
    try:
        content = bytes(delivery.content.body)
    except ObjectDoesNotExist:
        raise NotApproved(f"Delivery {delivery.pk} has no content.") from None
    if hashlib.sha256(content).hexdigest() != delivery.content_sha256:
        raise NotApproved(f"The content of delivery {delivery.pk} is not what was approved.")
    return content


def refuse_other_document(delivery: Delivery, content: bytes, *, object_type: str) -> None:
    """The name and the key are what keeps a document from being booked twice, so they must follow from it.

    Raises NotApproved.
    """
    try:
        business_key = get_connector(delivery.connection.connector).business_key(content)
    except MessageNotUnderstood as error:
        raise NotApproved(f"The content of delivery {delivery.pk} is no document: {error.problem}") from error
    key = idempotency_key(
        connection=delivery.connection.slug,
        operation=delivery.operation,
        object_type=object_type,
        business_key=business_key,
        content_sha256=delivery.content_sha256,
    )
    if (delivery.object_type, delivery.business_key, delivery.key) != (object_type, business_key, key):
        raise NotApproved(f"Delivery {delivery.pk} does not go by the name of the document that it holds.")
