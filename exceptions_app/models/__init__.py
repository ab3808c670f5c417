from exceptions_app.models.access_review import AccessReview, AccessReviewItem
from exceptions_app.models.approval_rule import ApprovalRule, ApprovalRuleDecision
from exceptions_app.models.archive import ArchivedCase, ArchiveDelivery
from exceptions_app.models.audit_export import AuditExport, AuditExportPart
from exceptions_app.models.batch_look import BatchLook
from exceptions_app.models.bulk_run import BulkItem, BulkOutcome, BulkRun, Pick
from exceptions_app.models.case import Comment, ExceptionCase, Identifier, granted_objects
from exceptions_app.models.cause import Cause, CauseJoin, CauseNote, CauseOwner
from exceptions_app.models.decision import Contributor, Decision, Evidence, FirstApproval, Proposal
from exceptions_app.models.delegation import Delegation
from exceptions_app.models.emergency import Emergency
from exceptions_app.models.erasure import ErasureDecision, ErasureRequest, HistoryOfException
from exceptions_app.models.exchange_rate import ExchangeRate
from exceptions_app.models.field_rule import FieldRule, FieldRuleDecision
from exceptions_app.models.handover import Predecessor, Transaction, TransactionContent
from exceptions_app.models.idempotency import ApiRequest
from exceptions_app.models.kept_rule import KeptRule
from exceptions_app.models.mapping_mend import MappingMend, MendOutcome
from exceptions_app.models.mapping_proposal import MappingDecision, MappingProposal, MappingRow
from exceptions_app.models.notification import Attachment, Expectation, Notification, Subscription
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
from exceptions_app.models.playbook import PlaybookDecision, PlaybookUse, PlaybookVersion
from exceptions_app.models.presence import Presence
from exceptions_app.models.purge import ErasedOfException, PurgeRun
from exceptions_app.models.refused import RefusedMinute
from exceptions_app.models.rehearsal import Rehearsal
from exceptions_app.models.replay_batch import BatchDecision, BatchItem, BatchProgress, ReplayBatch
from exceptions_app.models.retention import LegalHold, RetentionDecision, RetentionPolicy
from exceptions_app.models.reveal import Reveal
from exceptions_app.models.routing_rule import RoutingRule, RoutingRuleDecision
from exceptions_app.models.saved_view import PinnedView, SavedView
from exceptions_app.models.suggestion import Suggestion
from exceptions_app.models.unmapped import UnmappedValue
from exceptions_app.models.value_mapping import MappingEntry, ValueMapping

__all__ = [
    "AccessReview",
    "AccessReviewItem",
    "ApiRequest",
    "ApprovalRule",
    "ApprovalRuleDecision",
    "ArchiveDelivery",
    "ArchivedCase",
    "Attachment",
    "AuditExport",
    "AuditExportPart",
    "BatchDecision",
    "BatchItem",
    "BatchLook",
    "BatchProgress",
    "BulkItem",
    "BulkOutcome",
    "BulkRun",
    "Cause",
    "CauseJoin",
    "CauseNote",
    "CauseOwner",
    "Comment",
    "Contributor",
    "Decision",
    "Delegation",
    "Draft",
    "Emergency",
    "ErasedOfException",
    "ErasureDecision",
    "ErasureRequest",
    "Evidence",
    "ExceptionCase",
    "ExchangeRate",
    "Expectation",
    "FieldRule",
    "FieldRuleDecision",
    "FirstApproval",
    "HistoryOfException",
    "Identifier",
    "KeptRule",
    "LegalEntity",
    "LegalEntityGroupGrant",
    "LegalEntityUserGrant",
    "LegalHold",
    "MappingDecision",
    "MappingEntry",
    "MappingMend",
    "MappingProposal",
    "MappingRow",
    "MendOutcome",
    "Notification",
    "Occurrence",
    "PayloadVersion",
    "Pick",
    "PinnedView",
    "PlaybookDecision",
    "PlaybookUse",
    "PlaybookVersion",
    "Predecessor",
    "Presence",
    "Proposal",
    "PurgeRun",
    "Queue",
    "QueueGroupGrant",
    "QueueUserGrant",
    "RefusedMinute",
    "Rehearsal",
    "ReplayBatch",
    "RetentionDecision",
    "RetentionPolicy",
    "Reveal",
    "Route",
    "RoutingRule",
    "RoutingRuleDecision",
    "SavedView",
    "Subscription",
    "Suggestion",
    "Transaction",
    "TransactionContent",
    "UnmappedValue",
    "ValueMapping",
    "granted_objects",
]
