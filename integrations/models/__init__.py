from integrations.models.connection import (
    GIVEN_OR_TAKEN,
    LONGEST_TIMEOUT,
    Connection,
    ConnectionGroupGrant,
    ConnectionUserGrant,
)
from integrations.models.inbox import FolderProblem, InboxContent, InboxMessage
from integrations.models.outbox import Delivery, DeliveryAnswer, DeliveryAttempt, DeliveryContent

__all__ = [
    "GIVEN_OR_TAKEN",
    "LONGEST_TIMEOUT",
    "Connection",
    "ConnectionGroupGrant",
    "ConnectionUserGrant",
    "Delivery",
    "DeliveryAnswer",
    "DeliveryAttempt",
    "DeliveryContent",
    "FolderProblem",
    "InboxContent",
    "InboxMessage",
]
