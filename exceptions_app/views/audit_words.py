"""The audit's event names in words, in the groups in which a person looks for them."""

from collections.abc import Mapping

ACTIONS: Mapping[str, Mapping[str, str]] = {
    "Exceptions": {
        "case.": "Anything about exceptions",
        "case.opened": "Opened",
        "case.recurred": "Came in again",
        "case.claimed": "Claimed",
        "case.assigned": "Assigned",
        "case.put_on_hold": "Put on hold",
        "case.resumed": "Resumed",
        "case.hold_ended": "Hold ended",
        "case.corrected": "Corrected",
        "case.commented": "Commented",
    },
    "Proposals and decisions": {
        "case.replay_proposed": "Replay proposed",
        "case.release_proposed": "Release proposed",
        "case.decline_proposed": "Decline proposed",
        "case.dismissal_proposed": "Dismissal proposed",
        "case.proposal_withdrawn": "Proposal withdrawn",
        "case.approved": "Approved",
        "case.closure_approved": "Closure approved",
        "case.rejected": "Rejected",
        "case.reopened": "Reopened",
    },
    "Outcomes": {
        "case.resolved": "Resolved",
        "case.refused_again": "Refused again",
        "case.outcome_unknown": "Outcome unknown",
        "case.conflict_found": "Conflict found",
        "case.sending_stopped": "Sending stopped",
        "case.source_notified": "Source notified",
        "case.source_told": "Source told",
        "case.source_not_told": "Source not told",
    },
    "Transactions handed over": {
        "transaction.": "Anything about transactions",
        "transaction.handed_over": "Handed over",
        "transaction.made_to_wait": "Waits for another one",
        "transaction.sent_on": "Sent on by policy",
        "transaction.held": "Held",
        "transaction.recognised": "Recognised as a repeat",
        "transaction.outcome_unknown": "Transaction of unknown outcome",
        "transaction.delivered": "Delivered",
        "transaction.closed": "Closed without delivery",
        "transaction.reopened": "Held again",
        "transaction.sending_stopped": "Sending of a transaction stopped",
        "transaction.source_told": "Source told of a transaction",
        "transaction.source_not_told": "Source not told of a transaction",
    },
    "Deliveries": {
        "delivery.stopped": "Delivery stopped",
    },
    "Incoming messages": {
        "message.": "Anything about messages",
        "message.received": "Message received",
        "message.failed": "Message could not be read",
        "message.batch_recorded": "What became of a batch",
        "message.read_again": "Message read again",
        "message.set_aside": "Message set aside",
        "message.quarantined": "File put into quarantine",
        "message.file_set_aside": "File in quarantine set aside",
    },
    "Configuration and access": {
        "configuration.": "Any configuration",
        "configuration.added": "Configuration added",
        "configuration.changed": "Configuration changed",
        "connection.paused": "Connection paused",
        "connection.resumed": "Connection resumed",
        "connection.webhook_secret_rotated": "Webhook secret rotated",
        "field_map.saved": "Field map saved",
        "field_map.activated": "Field map put to use",
        "field_map.switched_off": "Field map switched off",
        "grant.given": "Access given",
        "grant.taken": "Access taken away",
        "role.given": "Role given",
        "role.taken": "Role taken away",
        "token.made": "API token made",
        "token.withdrawn": "API token withdrawn",
    },
    "People": {
        "person.": "Anything about people",
        "person.added": "Account added",
        "person.changed": "Account changed",
        "person.signed_in": "Signed in",
        "person.signed_out": "Signed out",
        "person.sign_in_refused": "Sign-in refused",
        "person.password_changed": "Password changed",
        "role.added": "Role added",
    },
    "This log": {"audit.exported": "Audit trail exported"},
}
_WORDS = {name: words for group in ACTIONS.values() for name, words in group.items()}


def in_words(action: str) -> str:
    """What the event is called on a page; a name that is not listed is read out."""
    return _WORDS.get(action) or action.replace(".", " ").replace("_", " ").strip().capitalize()
