"""One exception as a JSON document: its context, its history of content and deliveries, and what the reader may do."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from exceptions_app.api.base import case_for, person
from exceptions_app.api.batches import batch_as_json
from exceptions_app.api.held import conflict_as_json
from exceptions_app.api.preconditions import etag_of
from exceptions_app.api.responses import ExceptionSummary, money_of, person_of
from exceptions_app.authority import asked_of
from exceptions_app.models import Decision, ExceptionCase, FirstApproval, Occurrence, PayloadVersion, Proposal
from exceptions_app.policies import Possibility, may_reveal
from exceptions_app.queries.case_history import (
    Part,
    arrivals_of,
    attempts_of,
    comments_of,
    counts_of,
    deliveries_of,
    versions_of,
)
from exceptions_app.queries.case_page import (
    CasePage,
    possible_actions,
    present_errors,
    read_case_page,
)
from exceptions_app.queries.conflicts import conflict_of_case
from exceptions_app.queries.erasures import erasure_of
from exceptions_app.queries.retyping import retyping_on
from exceptions_app.queries.sensitive import shown_until
from exceptions_app.queries.who_decides import who_could_decide
from exceptions_app.states import STATING_KINDS
from exceptions_app.targets import without_secrets
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.models import Delivery, DeliveryAttempt
from integrations.records.record import Record
from integrations.refusals import MessageNotUnderstood

_ERROR_TEXTS = ("code", "severity", "plain", "text", "term", "field", "field_path", "path", "said_by", "was")


def respond(request: Request, ref: str, *, status: int = 200) -> Response:
    """The exception as it stands now, with its ETag."""
    page = read_case_page(case_for(request, ref), person(request))
    return Response(document_of(page, request), status=status, headers={"ETag": etag_of(page.case)})


def document_of(page: CasePage, request: Request) -> dict[str, Any]:
    """The lists hold the newest of each, oldest first; the counts say how many there are in all."""
    case = page.case
    counts = counts_of(case)
    errors_from, errors = present_errors(page)
    possible = possible_actions(page)
    until, ruling = shown_until(case, page.standing.verbs), may_reveal(case, page.standing.verbs)
    return {
        **ExceptionSummary(case, context={"request": request}).data,
        "follows": case.follows.ref if case.follows else None,
        "errors_from": errors_from.value,
        "errors": [error_of(error) for error in errors],
        "record": _record(case, page.latest_content),
        "arrivals": [_arrival(arrival) for arrival in reversed(arrivals_of(case).items)],
        "batch": _batch(page),
        "versions_count": counts[Part.VERSIONS],
        "versions": [version_summary_of(version, case, request) for version in reversed(versions_of(case).items)],
        "proposal": proposal_of(page.proposal) if page.proposal else None,
        "to_retype": [detail.label for detail in retyping_on(page)],
        "deciders": _deciders(page, possible),
        "conflict": conflict_as_json(conflict_of_case(page), shows=until is not None),
        "deliveries_count": counts[Part.ATTEMPTS],
        "deliveries": _deliveries(deliveries_of(case).items[::-1]),
        "comments_count": page.comments_count,
        "comments": [
            {"author": person_of(comment.author), "text": comment.text, "written_at": comment.written_at}
            for comment in reversed(comments_of(case).items)
        ],
        "actions": _actions(page, possible, request),
        "erased": _erased(page),
        "masked": {"shown_until": until, "may_reveal": ruling.allowed, "reason": ruling.reason},
    }


def _erased(page: CasePage) -> dict[str, Any] | None:
    gone = erasure_of(page.case) if not page.latest_content else None
    return None if gone is None else {"at": gone.at, "run": gone.run, "under": gone.under}


def _batch(page: CasePage) -> dict[str, Any] | None:
    if page.batch is None:
        return None
    return {**batch_as_json(page.batch), "exceptions": [other.ref for other in page.batch.others]}


def _arrival(arrival: Occurrence) -> dict[str, Any]:
    return {
        "message_id": arrival.inbox_message.external_id,
        "arrived_at": arrival.arrived_at,
        "payload_sha256": arrival.payload_sha256,
        "definitive": arrival.definitive,
        "errors": [error_of(error) for error in arrival.errors],
    }


def error_of(error: Mapping[str, Any]) -> dict[str, Any]:
    """One stored error with every key, also when it was stored before a key was known."""
    return {name: str(error.get(name) or "") for name in _ERROR_TEXTS} | {
        "proposed_value": error.get("proposed_value"),
        "allowed": list(error.get("allowed") or ()),
    }


def _record(case: ExceptionCase, content: bytes) -> dict[str, Any] | None:
    try:
        record = get_connector(case.connection.connector).read(content)
    except (MessageNotUnderstood, UnknownConnector):
        return None
    return record_of(record)


def record_of(record: Record) -> dict[str, Any]:
    headline = record.headline
    return {
        "version": record.version,
        "title": headline.title,
        "number": headline.number,
        "document_date": headline.document_date,
        "due_date": headline.due_date,
        "money": money_of(headline.amount, headline.currency),
        "counterparty": asdict(headline.counterparty),
        "parties": {role: asdict(party) for role, party in headline.parties.items()},
        "totals": {label: None if amount is None else f"{amount:f}" for label, amount in headline.totals.items()},
        "fields": [
            {
                "term": field.term, "label": field.label, "group": field.group, "kind": field.kind.value,
                "path": field.path, "value": field.value, "currency": field.currency, "hint": field.hint,
            }
            for field in record.fields
        ],
    }  # fmt: skip


def check_of(version: PayloadVersion) -> dict[str, Any]:
    return {
        "name": version.check_name,
        "passed": version.check_passed,
        "errors": [error_of(error) for error in version.check_errors],
    }


def version_summary_of(version: PayloadVersion, case: ExceptionCase, request: Request) -> dict[str, Any]:
    """A version as it stands in the list of them."""
    where = [case.ref, version.number]
    return {
        "number": version.number,
        "url": reverse("api:version", args=where, request=request),
        "content_url": reverse("api:version-content", args=where, request=request),
        "media_type": version.media_type,
        "sha256": version.sha256,
        "author": person_of(version.author),
        "reason": version.reason,
        "check": check_of(version),
        "created_at": version.created_at,
    }


def version_of(version: PayloadVersion, case: ExceptionCase, request: Request) -> dict[str, Any]:
    """A version with all that it changed."""
    changed = {
        "operations": version.operations,
        "changes": version.changes,
        "field_maps": [
            {name: used[name] for name in ("direction", "object_type", "number")} for used in version.field_maps
        ],
    }
    return {**version_summary_of(version, case, request), **changed}


def proposal_of(proposal: Proposal) -> dict[str, Any]:
    """A proposal that was read `with_rules`, with its decision; reads what is related without asking for it again."""
    decision: Decision | None = getattr(proposal, "decision", None)
    first: FirstApproval | None = getattr(proposal, "first_approval", None)
    asked = asked_of(proposal)
    return {
        "kind": proposal.kind,
        "state": proposal.state,
        "outcome": proposal.outcome,
        "version": proposal.version.number,
        "target": proposal.target.slug,
        "target_url": without_secrets(proposal.target.target_url),
        "policy_version": proposal.policy_version,
        "content_sha256": proposal.content_sha256,
        "evidence_sha256": proposal.evidence.sha256 if proposal.kind in STATING_KINDS else "",
        "frozen_sha256": proposal.frozen_sha256,
        "needs_retyping": bool(proposal.retype_sha256),
        "proposer": person_of(proposal.proposer),
        "because": proposal.because,
        "proposed_at": proposal.proposed_at,
        "closed_at": proposal.closed_at,
        "closed_because": proposal.closed_because,
        "approvers": asked.approvers,
        "roles": asked.roles,
        "rules": asked.rules,
        "first_approval": None if first is None else _opinion(first),
        "decision": None if decision is None else _opinion(decision),
    }


def _opinion(said: Decision | FirstApproval) -> dict[str, Any]:
    return {
        "verdict": said.verdict,
        "decider": person_of(said.decider),
        "because": said.because,
        "decided_at": said.decided_at,
    }


def _deliveries(deliveries: Sequence[Delivery]) -> list[dict[str, Any]]:
    attempts = attempts_of(deliveries, with_bodies=False)
    return [
        {
            "operation": delivery.operation,
            "state": delivery.state,
            "idempotency_key": delivery.key,
            "content_sha256": delivery.content_sha256,
            "sends": delivery.sends,
            "reference": delivery.reference,
            "detail": delivery.detail,
            "created_at": delivery.created_at,
            "finished_at": delivery.finished_at,
            "attempts": [_attempt(found.attempt) for found in attempts[delivery.pk]],
        }
        for delivery in deliveries
    ]


def _attempt(attempt: DeliveryAttempt) -> dict[str, Any]:
    found = getattr(attempt, "answer", None)
    return {
        "phase": attempt.phase,
        "started_at": attempt.started_at,
        "finished_at": found.finished_at if found else None,
        "outcome": found.outcome if found else "",
        "http_status": found.http_status if found else None,
        "reference": found.reference if found else "",
        "detail": found.detail if found else "",
        "sent_in": attempt.envelope.reference if attempt.envelope else "",
        "sent_with": attempt.envelope.number - 1 if attempt.envelope else 0,
    }


def _deciders(page: CasePage, possible: Sequence[Possibility]) -> dict[str, Any] | None:
    left = who_could_decide(page, [one.action for one in possible if one.allowed])
    if left is None:
        return None
    return {"people": [{"username": one.username, "name": one.name} for one in left.people], "words": left.words}


def _actions(page: CasePage, possible: Sequence[Possibility], request: Request) -> list[dict[str, Any]]:
    return [
        {
            "action": one.action.value,
            "label": one.label,
            "url": reverse(f"api:{one.action.value}", args=[page.case.ref], request=request),
            "allowed": one.allowed,
            "reason": one.reason,
        }
        for one in possible
    ]
