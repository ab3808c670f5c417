from integrations.models.archive import Archive
from integrations.models.connection import (
    GIVEN_OR_TAKEN,
    LONGEST_TIMEOUT,
    SECRETS,
    Connection,
    ConnectionGroupGrant,
    ConnectionUserGrant,
)
from integrations.models.effects import Comparison, ComparisonFinding, Effect
from integrations.models.fieldmap import ActiveFieldMap, Direction, FieldMap
from integrations.models.inbox import FolderProblem, InboxContent, InboxMessage, IntakeRate, MessageBatch
from integrations.models.outbox import (
    Delivery,
    DeliveryAnswer,
    DeliveryAttempt,
    DeliveryContent,
    DeliveryEnvelope,
    DeliveryEnvelopeAnswer,
    DeliveryStatement,
)
from integrations.models.pull import PullSource, SequenceGap
from integrations.models.retry import RetryPolicy
from integrations.models.sending import ALL_SENDING, Gate, MaintenanceWindow, Restoration, SendingStop

__all__ = [
    "ALL_SENDING",
    "GIVEN_OR_TAKEN",
    "LONGEST_TIMEOUT",
    "SECRETS",
    "ActiveFieldMap",
    "Archive",
    "Comparison",
    "ComparisonFinding",
    "Connection",
    "ConnectionGroupGrant",
    "ConnectionUserGrant",
    "Delivery",
    "DeliveryAnswer",
    "DeliveryAttempt",
    "DeliveryContent",
    "DeliveryEnvelope",
    "DeliveryEnvelopeAnswer",
    "DeliveryStatement",
    "Direction",
    "Effect",
    "FieldMap",
    "FolderProblem",
    "Gate",
    "InboxContent",
    "InboxMessage",
    "IntakeRate",
    "MaintenanceWindow",
    "MessageBatch",
    "PullSource",
    "Restoration",
    "RetryPolicy",
    "SendingStop",
    "SequenceGap",
]
