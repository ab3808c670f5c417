"""Compensation: a wrong booking is answered by a reversing entry, linked to it, with the same two people."""

import hashlib
from dataclasses import asdict
from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app import policies
from exceptions_app.actions.correct import business_changes, latest_version
from exceptions_app.actions.handover_hold import finding
from exceptions_app.actions.mover import Invalid, lock, move
from exceptions_app.actions.open_case import one_reader_at_a_time, open_new
from exceptions_app.actions.propose import REVERSE, CheckFailed, freeze, record_proposal
from exceptions_app.models import ExceptionCase, Occurrence, PayloadVersion, Proposal
from exceptions_app.queries.erasures import is_erased
from exceptions_app.queries.reversals import booked_content, reversible_references
from exceptions_app.states import Action, Kind, State, target_of
from exceptions_app.wording import say
from integrations.connectors.base import CannotReverse, Reversing
from integrations.connectors.registry import get_connector
from integrations.refusals import Category, MessageNotUnderstood, Refusal, RefusedTransaction, bounded

NO_REASON = say("Say why; the person who decides will read it.")


@transaction.atomic
def report_wrong_booking(
    case_id: int, *, by: AbstractUser, at: datetime, because: str, revision: int | None = None
) -> ExceptionCase:
    """Say that what a resolved exception booked is wrong: opens the exception that follows it, where it is reversed.

    Raises policies.NotPermitted, Invalid, and what a move raises.
    """
    if not because.strip():
        raise Invalid("because", say("Say what is wrong with the booking."))
    case = lock(case_id, revision=revision)
    policies.require(Action.REPORT_WRONG_BOOKING, case, by)
    target_of(Action.REPORT_WRONG_BOOKING, state=State(case.state), kind=Kind(case.kind))
    one_reader_at_a_time(case.connection_id, [(case.object_type, case.business_key)])
    same = ExceptionCase.objects.filter(
        connection=case.connection_id, object_type=case.object_type, business_key=case.business_key
    )
    if (current := same.open().first()) is not None:
        raise Invalid("because", say("{ref} is open about this document already. Work on it there.", ref=current.ref))
    follower = _open_follower(case, because=because, at=at)
    move(
        case,
        Action.REPORT_WRONG_BOOKING,
        by=by,
        at=at,
        because=because,
        summary=f"{by} reported a wrong booking of {case.ref} ({case.document_number}): {follower.ref}.",
        data={"exception": follower.ref, "reference": case.reference},
    )
    return follower


def _open_follower(case: ExceptionCase, *, because: str, at: datetime) -> ExceptionCase:
    content = booked_content(case)
    if content is None and is_erased(case):
        raise Invalid("because", policies.ERASED)
    if content is None:
        raise Invalid("because", say("Nothing was booked for this exception, so there is nothing to reverse."))
    arrival = Occurrence.objects.filter(case=case).select_related("inbox_message__connection").order_by("-id")[0]
    plain = f"The booking {case.reference} is wrong: {because}".replace("\x00", "")
    error = finding("WRONG_BOOKING", plain, general="What was booked for this document is wrong.")
    refused = RefusedTransaction(
        object_type=case.object_type,
        business_key=case.business_key,
        refusal=bounded(
            Refusal(
                category=Category.RECONCILIATION_BREAK,
                sub=policies.WRONG_BOOKING,
                auto_retry=False,
                errors=(error,),
                definitive=False,
            )
        ),
        record=get_connector(case.connection.connector).read(content),
        payload=content,
        media_type=latest_version(case).media_type,
    )
    try:
        return open_new(arrival.inbox_message, refused, follows=case, at=at, arrived_at=at)
    except MessageNotUnderstood as error_:
        raise Invalid("because", error_.problem) from error_


@transaction.atomic
def propose_reversal(
    case_id: int, *, reference: str, by: AbstractUser, at: datetime, because: str, revision: int | None = None
) -> Proposal:
    """Propose to send the entry that reverses what the target booked as `reference`, dated today at its legal entity.

    The entry becomes the next version, by the person who proposes it, so that somebody else decides. It passes the same
    check as any other. Raises policies.NotPermitted, Invalid, CheckFailed, and what a move raises.
    """
    if not because.strip():
        raise Invalid("because", NO_REASON)
    case = lock(case_id, revision=revision)
    policies.require(Action.REVERSE, case, by)
    target_of(Action.REVERSE, state=State(case.state), kind=Kind(case.kind))  # before anything is written
    known = reversible_references(case)
    if reference not in known:
        raise Invalid(
            "reference",
            say(
                "“{reference}” is none of {value}.",
                reference=reference[:60],
                value=", ".join(known) or "the known documents",
            ),
        )
    version = _write_entry(case, reference, by=by, at=at, because=because)
    proposal = freeze(case, version, REVERSE.kind, by=by, at=at, because=because)
    record_proposal(case, proposal, version, REVERSE, by=by, at=at, because=because, data={"reverses": reference})
    return proposal


def _write_entry(
    case: ExceptionCase, reference: str, *, by: AbstractUser, at: datetime, because: str
) -> PayloadVersion:
    connector, content = get_connector(case.connection.connector), booked_content(case)
    if content is None or not isinstance(connector, Reversing):
        raise Invalid("reference", say("There is nothing here that a reversing entry could take back."))
    today = at.astimezone(ZoneInfo(case.entity.time_zone)).date()
    try:
        entry = connector.reversal(content, reference=reference, on=today)
    except CannotReverse as error:
        raise Invalid("reference", str(error)) from error
    report = connector.check(entry)
    if not report.passed:
        raise CheckFailed(report)
    latest = latest_version(case)
    return PayloadVersion.objects.create(
        case=case,
        number=latest.number + 1,
        content=entry,
        media_type=latest.media_type,
        sha256=hashlib.sha256(entry).hexdigest(),
        author_id=by.pk,
        changes=business_changes(connector.read(content), connector.read(entry)),
        reason=because[:500],
        check_name=report.check,
        check_passed=True,
        check_errors=[asdict(error) for error in report.errors],
        created_at=at,
    )
