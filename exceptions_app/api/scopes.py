"""What a token may be used for, whatever its account may do: checked before anything is looked at.

A token of a person without scopes may do what the person may. Whatever has no row here is for people alone: approving,
rejecting, revealing, many at once, deciding for somebody, stopping all sending, writing field maps and putting them to
use, writing and using playbooks, joining and splitting causes, exporting the audit trail, and everything that gives
access.
"""

from collections.abc import Collection, Mapping
from typing import Any

from rest_framework.request import Request

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem

READ = "read"
SCIM = "scim"
SCOPES: Mapping[str, str] = {
    READ: "read everything that the account may read",
    "hand_over": "hand messages and transactions in",
    "comment": "comment on exceptions",
    "correct": "work on exceptions and correct them",
    "propose": "propose to replay, release or close",
    "connections": "pause and resume connections, plan maintenance",
    SCIM: "add people, give the roles of groups and end who leaves (SCIM), and nothing of the API",
}

# What changes something, by the name of its address.
_ADDRESSES: Mapping[str, str] = {
    "hand_over": "messages transactions",
    "comment": "comment",
    "correct": (
        "claim assign hold resume snooze wake tag correct translate read-again set-aside set-file-aside "
        "preview-value-mapping try-field-map"
    ),
    "propose": (
        "propose release decline dismiss reverse report_wrong_booking withdraw ask_again confirm_booked declare_absent "
        "reopen batches suspend-batch resume-batch cancel-batch value-mappings withdraw-mapping"
    ),
    "connections": "pause resume-connection send-again maintenance-windows cancel-maintenance",
}
SCOPE_OF: Mapping[str, str] = {name: scope for scope, names in _ADDRESSES.items() for name in names.split()}


def scope_for(method: str, url_name: str) -> str:
    """The scope that a request needs; empty when no token with scopes may send it."""
    return READ if method in ("GET", "HEAD", "OPTIONS") else SCOPE_OF.get(url_name, "")


def require_scope(request: Request) -> None:
    """Raise Problem unless the token's scopes hold what is asked for. Sessions and tokens without scopes have none."""
    held: Collection[str] | None = getattr(request.auth, "scopes", None)
    if held is None:
        return
    found: Any = request.resolver_match
    needed = scope_for(request.method or "", found.url_name if found is not None else "")
    if needed and needed in held:
        return
    words = (
        f"This takes a token with the scope {needed}."
        if needed
        else "No token with scopes may do this: it takes a person."
    )
    challenge = f'Bearer error="insufficient_scope"{f", scope={chr(34)}{needed}{chr(34)}" if needed else ""}'
    has = ", ".join(sorted(held)) or "none"
    raise Problem(kinds.OUT_OF_SCOPE, f"{words} This one has: {has}.", headers={"WWW-Authenticate": challenge})
