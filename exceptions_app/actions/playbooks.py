"""Keeping playbooks: a version is written, decided on by somebody else where it leads to values, and never changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import connection as database
from django.db import transaction

from audit import log
from exceptions_app.actions.cause_joins import LONGEST_REASON
from exceptions_app.actions.decided_meanwhile import refused_in_words
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.models import Cause, PlaybookDecision, PlaybookVersion
from exceptions_app.playbook_steps import ME, NotAStep, Step, StepKind, needs_second, sound
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.audit_page import CONFIGURATION_SCOPE
from exceptions_app.queries.playbooks import DECIDING, KEEPING, may_with_code, newest
from exceptions_app.queries.reach import own_reach_of
from exceptions_app.states import Verb
from exceptions_app.wording import said_by, say


class PlaybookChanged(Exception):
    """Somebody else wrote a version, or decided, since the person looked."""


@transaction.atomic
def save_playbook(
    cause_id: int, steps: Sequence[Step], *, seen: int, because: str, by: AbstractUser, at: datetime
) -> PlaybookVersion:
    """The next version for the code of a cause; without steps there is no playbook from then on.

    `seen` is the number of the newest version that the person was looking at, 0 for none. Raises NotPermitted,
    PlaybookChanged, Invalid.
    """
    cause = _lock(cause_id, KEEPING, by=by)
    before = newest(cause)
    if (before.number if before is not None else 0) != seen:
        raise PlaybookChanged(say("Somebody else wrote a version of this playbook meanwhile."))
    because = because.strip()
    if not because or len(because) > LONGEST_REASON:
        raise Invalid("because", say("Say why, in at most {longest_reason} characters.", longest_reason=LONGEST_REASON))
    try:
        kept = [step.kept() for step in sound(steps)]
    except NotAStep as error:
        raise Invalid(f"step-{error.position}", said_by(error)) from error
    _require_colleagues(steps)
    if before is None and not kept:
        raise Invalid("", say("Write at least one step."))
    if before is not None and before.steps == kept:
        raise Invalid("", say("These are the steps that it has already."))
    version = PlaybookVersion.objects.create(
        connector=cause.connector, code=cause.code, number=seen + 1, steps=kept, needs_second=needs_second(steps),
        because=because, author_id=by.pk, written_at=at,
    )  # fmt: skip
    _record(
        version, "playbook.written", by=by, at=at, because=because, summary=f"{by} wrote {_called(version)}.",
        data={"steps": [step["kind"] for step in kept], "needs_second": version.needs_second},
    )  # fmt: skip
    return version


@transaction.atomic
def decide_playbook(
    version_id: int, *, approve: bool, because: str, by: AbstractUser, at: datetime
) -> PlaybookDecision:
    """Agree to a version that leads to values, or refuse it. Raises NotPermitted, PlaybookChanged, Invalid."""
    version = PlaybookVersion.objects.get(pk=version_id)
    cause = Cause.objects.filter(connector=version.connector, code=version.code).order_by("pk")[0]
    cause = _lock(cause.pk, DECIDING, by=by)
    if version.author_id == by.pk:
        raise NotPermitted(say("You wrote this; someone else must decide."))
    last = newest(cause)
    if last is None or last.pk != version.pk or hasattr(last, "decision") or not version.needs_second:
        raise PlaybookChanged(say("Nothing is left to decide here."))
    because = because.strip()
    if not approve and not because:
        raise Invalid("because", say("Say what has to change before you would agree."))
    if len(because) > LONGEST_REASON:
        raise Invalid(
            "because",
            say("A reason has at most {longest_reason} characters. Shorten it.", longest_reason=LONGEST_REASON),
        )
    verdict = PlaybookDecision.Verdict.APPROVED if approve else PlaybookDecision.Verdict.REJECTED
    words = "approved" if approve else "rejected"
    summary = f"{by} {words} {_called(version)}."
    if approve:
        _record(version, "playbook.approved", by=by, at=at, because=because, summary=summary, data={})
    else:
        _record(version, "playbook.rejected", by=by, at=at, because=because, summary=summary, data={})
    with refused_in_words():
        return PlaybookDecision.objects.create(
            version=version, verdict=verdict, decider_id=by.pk, because=because, decided_at=at
        )


def _lock(cause_id: int, verb: Verb, *, by: AbstractUser) -> Cause:
    """One writer of a code at a time. What is permitted is asked without what others let the person decide.

    It is asked once the others are through: whoever waited may have lost the right meanwhile.
    """
    cause = Cause.objects.get(pk=cause_id)
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"playbook\x1f{cause.connector}\x1f{cause.code}"])
    ruling = may_with_code(cause, verb, own_reach_of(by))
    if not ruling.allowed:
        raise NotPermitted(ruling.reason)
    return cause


def _require_colleagues(steps: Sequence[Step]) -> None:
    named = {step.value for step in steps if step.kind is StepKind.ASSIGN and step.value != ME}
    found = get_user_model().objects.filter(username__in=named, is_active=True).values_list("username", flat=True)
    for position, step in enumerate(steps, start=1):
        if step.kind is StepKind.ASSIGN and step.value in named - set(found):
            raise Invalid(
                f"step-{position}",
                say(
                    "Step {position}: nobody is called “{value}”. Write a user name, or me.",
                    position=position,
                    value=step.value,
                ),
            )


def _called(version: PlaybookVersion) -> str:
    return f"version {version.number} of the playbook for {version.code}"


def _record(
    version: PlaybookVersion,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    summary: str,
    data: Mapping[str, object],
) -> None:
    """A code belongs to no single queue or legal entity, so its events are for whoever reads those of the whole."""
    log.record(
        name,
        subject=version.subject,
        scope=CONFIGURATION_SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        because=because,
        data={"connector": version.connector, "code": version.code, "number": version.number, **data},
        correlation_id=version.ref,
    )
