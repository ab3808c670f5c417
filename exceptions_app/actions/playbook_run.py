"""Using a playbook on an exception: each step by the function of its button, in the person's name, or none of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app import policies
from exceptions_app.actions import propose, snoozing, work
from exceptions_app.actions.correct import latest_version
from exceptions_app.actions.drafts import save_draft
from exceptions_app.actions.mover import Invalid, lock, record
from exceptions_app.actions.propose import CheckFailed
from exceptions_app.actions.tagging import tag
from exceptions_app.field_classes import FieldClass, class_of
from exceptions_app.form_names import field_name
from exceptions_app.models import ExceptionCase, PlaybookUse, PlaybookVersion
from exceptions_app.playbook_steps import ME, Step, StepKind, by_hand, steps_of
from exceptions_app.queries.playbooks import holding
from exceptions_app.releases import releases_of
from exceptions_app.states import Action, TransitionNotAllowed
from exceptions_app.tags import read_tags
from exceptions_app.typed_values import misfit_of
from exceptions_app.wording import NOTHING_WAS_DONE, said_by, say, together
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.refusals import MessageNotUnderstood

_ACTIONS = {
    StepKind.ASSIGN: Action.ASSIGN,
    StepKind.TAG: Action.TAG,
    StepKind.SNOOZE: Action.SNOOZE,
    StepKind.COMMENT: Action.COMMENT,
    StepKind.SET_VALUE: Action.CORRECT,
    StepKind.PROPOSE: Action.PROPOSE,
}
"""The button of each step: its rules are those of the step."""
_REFUSED = (
    policies.NotPermitted, TransitionNotAllowed, Invalid, CheckFailed, MessageNotUnderstood, UnknownConnector,
)  # fmt: skip


class OtherPlaybook(Exception):
    """Another version holds for the code by now, or the exception has another code."""

    def __init__(self) -> None:
        super().__init__(say("The playbook changed after it was shown. Nothing was done; look at it again."))


class StepRefused(Exception):
    """A step that could not be done, so that none was. Of one that is not permitted, NotPermitted says so."""

    def __init__(self, position: int, step: Step, error: Exception) -> None:
        problem = say(
            "Step {position}, “{step}”: {problem}", position=position, step=step.words, problem=said_by(error)
        )
        super().__init__(together(problem, NOTHING_WAS_DONE))


class AlreadySo(Invalid):
    """The exception is as all the chosen steps would have it."""


class NothingOfIt(Exception):
    """The exception is as the step would have it already."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a step would do with an exception now; `refusal` says why not, `is_done` that it is so already."""

    position: int
    step: Step
    refusal: str = ""
    is_done: bool = False


@transaction.atomic
def outlook(case_id: int, version: PlaybookVersion, *, by: AbstractUser, at: datetime) -> list[Outlook]:
    """Of each step what would come of it: tried in their order and taken back, so that nothing stays or is guessed."""
    found: list[Outlook] = []
    for position, step in enumerate(steps_of(version.steps), start=1):
        refusal, is_done = "", False
        if step.does_something:
            try:
                with transaction.atomic():
                    _do(case_id, step, version, by=by, at=at)
            except NothingOfIt:
                is_done = True
            except _REFUSED as error:
                refusal = said_by(error)
        found.append(Outlook(position, step, refusal, is_done))
    transaction.set_rollback(True)
    return found


@transaction.atomic
def use_playbook(
    case_id: int, version_id: int, positions: Collection[int], *, by: AbstractUser, at: datetime,
    revision: int | None = None,
) -> PlaybookUse:  # fmt: skip
    """Do the chosen steps in their order, all or none. A step that is so already is none.

    Raises OtherPlaybook, StepRefused, NotPermitted, Invalid, and ChangedMeanwhile when the exception is not at
    `revision`.
    """
    case = lock(case_id, revision=revision)
    version = holding(case.cause)
    if version is None or version.pk != version_id:
        raise OtherPlaybook
    steps = list(enumerate(steps_of(version.steps), start=1))
    chosen = [(position, step) for position, step in steps if position in positions and step.does_something]
    if not chosen:
        raise Invalid("positions", say("Choose at least one step."))
    done: list[int] = []
    for position, step in chosen:
        try:
            _do(case.pk, step, version, by=by, at=at)
        except NothingOfIt:
            continue
        except policies.NotPermitted as error:
            raise policies.NotPermitted(said_by(StepRefused(position, step, error))) from error
        except _REFUSED as error:
            raise StepRefused(position, step, error) from error
        done.append(position)
    if not done:
        raise AlreadySo("positions", say("{ref} is as these steps would have it already.", ref=case.ref))
    record(
        lock(case.pk), "case.playbook_used", by=by, at=at,
        summary=f"{by} used {version.ref}, the playbook for {version.code}, on {case.ref}.",
        data={"playbook": version.ref, "number": version.number, "steps": done},
    )  # fmt: skip
    return PlaybookUse.objects.create(version=version, case=case, person_id=by.pk, positions=done, used_at=at)


def _do(case_id: int, step: Step, version: PlaybookVersion, *, by: AbstractUser, at: datetime) -> None:
    """One step, by the function of its button. The event of each names the playbook."""
    case, named = lock(case_id), f"({version.ref})"
    policies.require(_ACTIONS[step.kind], case, by)
    if step.kind is StepKind.ASSIGN:
        to = by if step.value == ME else _colleague(step.value)
        if case.assignee_id == to.pk:
            raise NothingOfIt
        work.assign(case_id, to=to, by=by, at=at, because=named)
    elif step.kind is StepKind.TAG:
        missing = set(read_tags(step.value)) - set(case.tags)
        if not missing:
            raise NothingOfIt
        tag(case_id, add=missing, by=by, at=at, because=named)
    elif step.kind is StepKind.SNOOZE:
        snoozing.snooze(case_id, by=by, at=at, until=at + timedelta(days=int(step.value)), because=named)
    elif step.kind is StepKind.COMMENT:
        work.comment(case_id, by=by, at=at, text=f"{step.value} {named}")
    elif step.kind is StepKind.SET_VALUE:
        _write_into_draft(case, step, by=by, at=at)
    elif step.kind is StepKind.PROPOSE:
        propose.propose_replay(case_id, by=by, at=at, because=f"{step.value} {named}")


def _colleague(username: str) -> AbstractUser:
    found = get_user_model().objects.filter(username=username, is_active=True).first()
    if not isinstance(found, AbstractUser):
        raise Invalid("to", say("Nobody is called {username} any more.", username=username))
    return found


def _write_into_draft(case: ExceptionCase, step: Step, *, by: AbstractUser, at: datetime) -> None:
    """Into the person's own draft: they look at it, say why it is right, and save it themselves."""
    latest = latest_version(case)
    record = get_connector(case.connection.connector).read(bytes(latest.content))
    places = [field for field in record.fields if step.field in (field.label, field.term)]
    if not places:
        raise Invalid("field", say("Its document has no field “{field}”.", field=step.field))
    if class_of(places[0].path, term=places[0].term) is not FieldClass.INTERNAL:
        raise Invalid("field", by_hand(step.field))
    if misfit := misfit_of(step.value, places[0]):
        raise Invalid("value", misfit.words)
    meant = [field for field in places if not step.was or (field.value or "").strip() == step.was]
    if not meant:
        raise Invalid("was", say("Its field “{field}” is something else than the playbook is for.", field=step.field))
    typed = {field_name(field.path): step.value for field in meant if (field.value or "").strip() != step.value}
    if not typed:
        raise NothingOfIt
    releases_of(by, at=at).require(case, [field for field in meant if field_name(field.path) in typed])
    save_draft(case.pk, by=by, at=at, base_version=latest.number, typed=typed)


def positions_of(version: PlaybookVersion) -> Sequence[int]:
    """Of the steps that do something."""
    return [position for position, step in enumerate(steps_of(version.steps), start=1) if step.does_something]
