from exceptions_app.models.case import Cause, Comment, ExceptionCase, Identifier, granted_objects
from exceptions_app.models.decision import Contributor, Decision, Proposal
from exceptions_app.models.handover import Predecessor, Transaction, TransactionContent
from exceptions_app.models.idempotency import ApiRequest
from exceptions_app.models.organisation import (
    LegalEntity,
    LegalEntityGroupGrant,
    LegalEntityUserGrant,
    Queue,
    QueueGroupGrant,
    QueueUserGrant,
    Route,
)
from exceptions_app.models.payload import Draft, Occurrence, PayloadVersion

__all__ = [
    "ApiRequest",
    "Cause",
    "Comment",
    "Contributor",
    "Decision",
    "Draft",
    "ExceptionCase",
    "Identifier",
    "LegalEntity",
    "LegalEntityGroupGrant",
    "LegalEntityUserGrant",
    "Occurrence",
    "PayloadVersion",
    "Predecessor",
    "Proposal",
    "Queue",
    "QueueGroupGrant",
    "QueueUserGrant",
    "Route",
    "Transaction",
    "TransactionContent",
    "granted_objects",
]
