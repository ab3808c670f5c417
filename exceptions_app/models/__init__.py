from exceptions_app.models.case import Cause, Comment, ExceptionCase, Identifier, granted_objects
from exceptions_app.models.decision import Contributor, Decision, Evidence, Proposal
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
from exceptions_app.models.rehearsal import Rehearsal
from exceptions_app.models.replay_batch import BatchDecision, BatchItem, BatchProgress, ReplayBatch
from exceptions_app.models.unmapped import UnmappedValue
from exceptions_app.models.value_mapping import (
    MappingDecision,
    MappingEntry,
    MappingProposal,
    MappingRow,
    ValueMapping,
)

__all__ = [
    "ApiRequest",
    "BatchDecision",
    "BatchItem",
    "BatchProgress",
    "Cause",
    "Comment",
    "Contributor",
    "Decision",
    "Draft",
    "Evidence",
    "ExceptionCase",
    "Identifier",
    "LegalEntity",
    "LegalEntityGroupGrant",
    "LegalEntityUserGrant",
    "MappingDecision",
    "MappingEntry",
    "MappingProposal",
    "MappingRow",
    "Occurrence",
    "PayloadVersion",
    "Predecessor",
    "Proposal",
    "Queue",
    "QueueGroupGrant",
    "QueueUserGrant",
    "Rehearsal",
    "ReplayBatch",
    "Route",
    "Transaction",
    "TransactionContent",
    "UnmappedValue",
    "ValueMapping",
    "granted_objects",
]
