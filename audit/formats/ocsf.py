"""Events in the words of the Open Cybersecurity Schema Framework (OCSF 1.3), which SIEMs read, one JSON object a line.

Signing in is Authentication, accounts are Account Change, everything else is Entity Management. What OCSF has no word
for is under `unmapped`.
"""

from collections.abc import Mapping
from typing import Any

from audit.account_numbers import masked_for_the_trail, masked_in, without_account_numbers
from audit.keys import origin
from audit.models import AuditEvent

VERSION = "1.3.0"
ACCOUNT_CHANGE, AUTHENTICATION, ENTITY_MANAGEMENT = 3001, 3002, 3004
_OTHER = 99
_KNOWN: Mapping[str, tuple[int, int]] = {
    "person.signed_in": (AUTHENTICATION, 1),
    "person.signed_out": (AUTHENTICATION, 2),
    "person.sign_in_refused": (AUTHENTICATION, 1),
    "person.added": (ACCOUNT_CHANGE, 1),
    "person.password_changed": (ACCOUNT_CHANGE, 3),
    "configuration.added": (ENTITY_MANAGEMENT, 1),
    "configuration.changed": (ENTITY_MANAGEMENT, 3),
}
_ACTIVITIES: Mapping[tuple[int, int], str] = {
    (AUTHENTICATION, 1): "Logon",
    (AUTHENTICATION, 2): "Logoff",
    (ACCOUNT_CHANGE, 1): "Create",
    (ACCOUNT_CHANGE, 3): "Password Change",
    (ENTITY_MANAGEMENT, 1): "Create",
    (ENTITY_MANAGEMENT, 3): "Update",
}
_CLASSES = {
    ACCOUNT_CHANGE: "Account Change",
    AUTHENTICATION: "Authentication",
    ENTITY_MANAGEMENT: "Entity Management",
}
_REFUSED = ("refused", "refused_more")
_USER, _SYSTEM = 1, 3


def as_ocsf(event: AuditEvent) -> dict[str, Any]:
    """For reading, so account numbers are masked also where an event from before holds one."""
    of, activity = _class_of(event.action)
    refused = event.action.endswith(_REFUSED)
    name = _ACTIVITIES.get((of, activity), event.action)
    seal = getattr(event, "seal", None)
    user = {"name": event.actor, "type_id": _USER if event.actor_kind == "person" else _SYSTEM}
    kind, _, reference = event.subject.partition(":")
    about: dict[str, Any] = {"entity": {"type": kind, "uid": event.subject, "name": reference}}
    if of != ENTITY_MANAGEMENT:
        about = {"user": {"name": reference if kind == "person" else event.subject, "uid": event.subject}}
    return {
        "category_uid": 3,
        "category_name": "Identity & Access Management",
        "class_uid": of,
        "class_name": _CLASSES[of],
        "activity_id": activity,
        "activity_name": name,
        "type_uid": of * 100 + activity,
        "type_name": f"{_CLASSES[of]}: {name}",
        "time": int(event.at.timestamp() * 1000),
        "severity_id": 3 if refused else 1,
        "severity": "Medium" if refused else "Informational",
        "status_id": 2 if refused else 1,
        "status": "Failure" if refused else "Success",
        "message": without_account_numbers(event.summary),
        "actor": {"user": user},
        **about,
        "metadata": {
            "version": VERSION,
            "uid": str(event.event_id),
            "sequence": seal.sequence if seal else None,
            "correlation_uid": event.correlation_id or None,
            "event_code": event.action,
            "product": {"name": "Exception Workbench", "vendor_name": "Exception Workbench", "uid": origin()},
        },
        "unmapped": {
            "scope": event.scope,
            "because": without_account_numbers(event.because),
            "data": masked_in(event.data, instead=masked_for_the_trail),
            "leaf_sha256": bytes(event.leaf).hex(),
        },
    }


def _class_of(action: str) -> tuple[int, int]:
    known = _KNOWN.get(action)
    if known is not None:
        return known
    return (ACCOUNT_CHANGE if action.startswith("person.") else ENTITY_MANAGEMENT), _OTHER
