"""Erasure of what is held about one counterparty: asked for by one who keeps retention, agreed to by another."""

import hashlib
import json
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from audit.account_numbers import fingerprint
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.decided_meanwhile import refused_in_words
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.retention import require_keeper
from exceptions_app.duties import kept_from_keeping
from exceptions_app.facts import fold
from exceptions_app.models import ErasureDecision, ErasureRequest
from exceptions_app.policies import NotPermitted
from exceptions_app.wording import say

State = ErasureRequest.State
SHORTEST = 3
"""Letters and figures of a name or a number: two would be those of many."""


@transaction.atomic
def propose_erasure(counterparty: str, *, by: AbstractUser, at: datetime, because: str) -> ErasureRequest:
    """Ask for it, by the name or a number of the counterparty. Raises NotPermitted, Invalid."""
    require_keeper(by)
    counterparty = counterparty.strip()[:200]
    folded = fold(counterparty)[:300]
    if len(folded) < SHORTEST:
        raise Invalid("counterparty", say("Write the whole name or a number of the counterparty."))
    if not because.strip():
        raise Invalid("because", say("Say who asked and when; the person who decides will read it, and the auditor."))
    refuse_name_in(because, folded)
    if waiting := ErasureRequest.objects.filter(folded=folded, state__in=[State.PROPOSED, State.APPROVED]).first():
        raise Invalid("counterparty", say("{ref} is about them already.", ref=waiting.ref))
    request = ErasureRequest(
        counterparty=counterparty, folded=folded, fingerprint=fingerprint(folded), because=because.strip()[:500],
        proposer_id=by.pk, proposed_at=at,
    )  # fmt: skip
    request.frozen_sha256 = frozen_hash_of(request)
    request.save()
    _record("erasure.proposed", request, "proposed", by=by, at=at, because=request.because)
    return request


@transaction.atomic
def approve_erasure(
    request_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str = ""
) -> ErasureRequest:
    """Agree to it: what may go, goes with the next run, and the rest once nothing keeps it any more."""
    request = _as_shown(request_id, frozen_sha256, by=by)
    refuse_name_in(because, request.folded)
    _decide(request, ErasureDecision.Verdict.APPROVED, by=by, at=at, because=because)
    _move(request, State.APPROVED)
    _record("erasure.approved", request, "approved", by=by, at=at, because=because)
    return request


@transaction.atomic
def reject_erasure(
    request_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str
) -> ErasureRequest:
    if not because.strip():
        raise Invalid("because", say("Say why you reject it; the person who proposed it needs to know what to change."))
    request = _as_shown(request_id, frozen_sha256, by=by)
    refuse_name_in(because, request.folded)
    _decide(request, ErasureDecision.Verdict.REJECTED, by=by, at=at, because=because)
    close(request, State.REJECTED, at=at)
    _record("erasure.rejected", request, "rejected", by=by, at=at, because=because)
    return request


@transaction.atomic
def withdraw_erasure(request_id: int, *, by: AbstractUser, at: datetime, because: str = "") -> ErasureRequest:
    """Take one's own proposal back before it is decided."""
    request = _locked(request_id)
    if request.proposer_id != by.pk:
        raise NotPermitted(say("Only the person who proposed it may withdraw it."))
    if request.state != State.PROPOSED:
        raise ApprovalNoLongerHolds(
            say("{ref} is {state} already.", ref=request.ref, state=say(request.get_state_display().lower()))
        )
    refuse_name_in(because, request.folded)
    close(request, State.WITHDRAWN, at=at)
    _record("erasure.withdrawn", request, "withdrew", by=by, at=at, because=because)
    return request


def refuse_name_in(because: str, folded: str) -> None:
    """Events keep every reason for ever. What is shorter than a name would be found in any text."""
    if len(folded) >= SHORTEST and folded in fold(because):
        raise Invalid("because", say("The reason is kept for ever. Write it without the name or the number."))


def close(request: ErasureRequest, state: ErasureRequest.State, *, at: datetime) -> None:
    """From then on the request itself does not say any more whom it was about."""
    request.state, request.closed_at, request.counterparty, request.folded = state, at, "", ""
    request.save(update_fields=["state", "closed_at", "counterparty", "folded"])


def frozen_hash_of(request: ErasureRequest) -> str:
    """What a decision is bound to."""
    parts = {"fingerprint": request.fingerprint, "because": request.because}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _locked(request_id: int) -> ErasureRequest:
    rows = ErasureRequest.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("proposer").get(pk=request_id)


def _as_shown(request_id: int, frozen_sha256: str, *, by: AbstractUser) -> ErasureRequest:
    request = _locked(request_id)
    decision = ErasureDecision.objects.filter(request=request).first()
    if decision is not None and decision.decider_id == by.pk:
        raise DecidedAlready(
            say("You {verdict} {ref} already.", verdict=say(decision.get_verdict_display().lower()), ref=request.ref)
        )
    require_keeper(by)
    if request.proposer_id == by.pk:
        raise NotPermitted(say("You proposed this; someone else must decide."))
    if kept := kept_from_keeping(by, request):
        raise NotPermitted(kept)
    if request.state != State.PROPOSED:
        raise ApprovalNoLongerHolds(
            say(
                "Somebody was faster: {ref} is {state}.",
                ref=request.ref,
                state=say(request.get_state_display().lower()),
            )
        )
    if frozen_sha256 != request.frozen_sha256 or frozen_hash_of(request) != request.frozen_sha256:
        raise ApprovalNoLongerHolds(say("{ref} is not what you were shown. Look at it again.", ref=request.ref))
    return request


@refused_in_words()
def _decide(
    request: ErasureRequest, verdict: ErasureDecision.Verdict, *, by: AbstractUser, at: datetime, because: str
) -> None:
    ErasureDecision.objects.create(
        request=request, verdict=verdict, decider_id=by.pk, frozen_sha256=request.frozen_sha256,
        because=because.strip()[:500], decided_at=at,
    )  # fmt: skip


def _move(request: ErasureRequest, state: ErasureRequest.State) -> None:
    request.state = state
    request.save(update_fields=["state"])


def _record(name: str, request: ErasureRequest, did: str, *, by: AbstractUser, at: datetime, because: str) -> None:
    """Without the name, which the log would keep for ever."""
    log.record(
        name, subject=request.subject, scope=SCOPE, actor=by.get_username(), at=at, because=because,
        summary=f"{by} {did} the erasure {request.ref} of what is held about one counterparty.",
        data={"erasure": request.ref, "fingerprint": request.fingerprint, "frozen_sha256": request.frozen_sha256},
    )  # fmt: skip
