"""What a bulk run does with one exception, by the function of the button, and whether it could: by the same rules."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.utils.timezone import now

from exceptions_app import policies
from exceptions_app.actions import playbook_run, propose, work
from exceptions_app.actions.correct import REASON_NEEDED, correct, latest_version
from exceptions_app.actions.mover import Invalid, lock
from exceptions_app.actions.propose import CheckFailed
from exceptions_app.actions.tagging import tag
from exceptions_app.bulk_states import (
    KIND_ACTIONS,
    LONGEST_REASON,
    LONGEST_TEXT,
    LONGEST_VALUE,
    MOST_READ,
    NEEDS_REASON,
    BulkKind,
    Instruction,
)
from exceptions_app.field_classes import masked_value
from exceptions_app.models import ExceptionCase, PayloadVersion, PlaybookVersion
from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.releases import NotReleased, Releases, fields_at, releases_of
from exceptions_app.states import Outcome, Verb
from exceptions_app.tags import MOST_TAGS, NotATag, read_tags
from exceptions_app.typed_values import misfit_of
from exceptions_app.wording import say
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.refusals import MessageNotUnderstood

_AT_A_TIME = 200  # documents in memory
_OPENED = frozenset({BulkKind.SET_VALUE, BulkKind.PROPOSE})
"""Whether it can be done with an exception, its document says."""
_TAGGING = frozenset({BulkKind.TAG, BulkKind.UNTAG})


class NothingToDo(Exception):
    """The exception is as the instruction would have it, or has not what it asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Of one exception, why it stays out; empty when it does not. `later`: its document was not opened yet."""

    case: ExceptionCase
    refusal: str = ""
    later: bool = False


def require_sound(instruction: Instruction) -> AbstractUser | None:
    """Raise Invalid, with the field at fault, unless this can be asked of anything. The colleague, where one is named.

    One query for an assignment, none for the others.
    """
    if instruction.kind in NEEDS_REASON and not instruction.because.strip():
        raise Invalid("because", REASON_NEEDED if instruction.kind is BulkKind.SET_VALUE else _WHY)
    if len(instruction.because) > LONGEST_REASON:
        raise Invalid(
            "because", say("A reason for many has at most {longest_reason} characters.", longest_reason=LONGEST_REASON)
        )
    if instruction.kind is BulkKind.COMMENT:
        if not instruction.text.strip():
            raise Invalid("text", say("Write a comment first."))
        if len(instruction.text) > LONGEST_TEXT:
            raise Invalid(
                "text",
                say("A comment has at most {longest_text} characters. Shorten it.", longest_text=f"{LONGEST_TEXT:,}"),
            )
    if instruction.kind is BulkKind.SET_VALUE:
        _require_change(instruction)
    if instruction.kind is BulkKind.PLAYBOOK:
        playbook_of(instruction)
    if instruction.kind in _TAGGING and not _tags_of(instruction):
        raise Invalid("tags", say("Write at least one tag."))
    return _colleague(instruction) if instruction.kind is BulkKind.ASSIGN else None


def playbook_of(instruction: Instruction) -> PlaybookVersion:
    found = PlaybookVersion.objects.in_force().with_ref(instruction.playbook).first()
    if found is None or not found.steps:
        raise Invalid("playbook", say("Choose a playbook."))
    return found


def _tags_of(instruction: Instruction) -> tuple[str, ...]:
    try:
        return read_tags(instruction.tags)
    except NotATag as error:
        raise Invalid("tags", str(error)) from error


_WHY = say("Say why; the person who decides will read it.")


def _require_change(instruction: Instruction) -> None:
    if not instruction.label:
        raise Invalid("label", say("Choose the field."))
    if instruction.was == instruction.will_be:
        raise Invalid("will_be", say("Write another value than the one that stands there."))
    for name, value in (("was", instruction.was), ("will_be", instruction.will_be)):
        if len(value) > LONGEST_VALUE:
            raise Invalid(
                name, say("A value for many has at most {longest_value} characters.", longest_value=LONGEST_VALUE)
            )


def _colleague(instruction: Instruction) -> AbstractUser:
    found = get_user_model().objects.filter(username=instruction.to, is_active=True).first()
    if not isinstance(found, AbstractUser):
        raise Invalid("to", say("Choose a colleague."))
    return found


def judge(cases: Sequence[ExceptionCase], instruction: Instruction, *, by: AbstractUser) -> list[Verdict]:
    """Of each exception whether it could be done now, in the order given. Nothing is written.

    Each is to come with its queue, entity, connection and assignee. Two to six queries, and a look into at most
    MOST_READ documents. Raises Invalid.
    """
    colleague = require_sound(instruction)
    reach = reach_of(by)
    theirs = reach_of(colleague) if colleague is not None else None
    action = KIND_ACTIONS[instruction.kind]
    refusals: dict[int, str] = {}
    for case in cases:
        ruling = policies.may(action, case, policies.Standing(by, reach.verbs_of(case)))
        refusals[case.pk] = (
            ruling.reason
            or _refusal_of_person(case, instruction, colleague, theirs)
            or _refusal_of_tags(case, instruction)
        )
    later: frozenset[int] = frozenset()
    if instruction.kind in _OPENED:
        open_cases = [case for case in cases if not refusals[case.pk]]
        opened, later = _refusals_of_documents(open_cases, instruction, by=by)
        refusals |= opened
    if instruction.kind is BulkKind.PLAYBOOK:
        tried, later = _refusals_of_playbook([case for case in cases if not refusals[case.pk]], instruction, by=by)
        refusals |= tried
    return [Verdict(case=case, refusal=refusals[case.pk], later=case.pk in later) for case in cases]


def _refusals_of_playbook(
    cases: Sequence[ExceptionCase], instruction: Instruction, *, by: AbstractUser
) -> tuple[dict[int, str], frozenset[int]]:
    """Why not every step can be done, by exception; and those with which none was tried, being too many."""
    version = playbook_of(instruction)
    codes = {
        pk: (connector, code)
        for pk, connector, code in ExceptionCase.objects.filter(pk__in=[case.pk for case in cases]).values_list(
            "pk", "cause__connector", "cause__code"
        )
    }
    refusals: dict[int, str] = {
        case.pk: _OTHER for case in cases if codes[case.pk] != (version.connector, version.code)
    }
    meant = [case.pk for case in cases if case.pk not in refusals]
    ends_at, tried = time.monotonic() + MOST_SECONDS, 0
    for number in meant[:MOST_TRIED]:
        if tried and time.monotonic() > ends_at:
            break
        tried += 1
        looks = playbook_run.outlook(number, version, by=by, at=now())
        refused = [
            say("Step {position}: {problem}", position=look.position, problem=look.refusal)
            for look in looks
            if look.refusal
        ]
        is_so = all(look.is_done for look in looks if look.step.does_something)
        refusals[number] = refused[0] if refused else _IS_SO if is_so else ""
    return refusals, frozenset(meant[tried:])


_OTHER = say("The playbook is for another error code.")
_IS_SO = say("It is as the playbook would have it already.")
MOST_TRIED = 100  # exceptions with which a preview tries the steps of a playbook
MOST_SECONDS = 3.0  # for which it goes on: a step that proposes checks a whole document


def _refusal_of_person(
    case: ExceptionCase, instruction: Instruction, colleague: AbstractUser | None, theirs: Reach | None
) -> str:
    """Why it need not, or cannot, be given to them; empty for other instructions."""
    if instruction.kind is BulkKind.GIVE_BACK and case.assignee_id is None:
        return "Nobody has it."
    if colleague is None or theirs is None:
        return ""
    if case.assignee_id == colleague.pk:
        return f"{colleague} has it already."
    if Verb.CORRECT not in theirs.verbs_of(case):
        return f"{colleague} may not work on exceptions in {case.queue} for {case.entity}."
    return ""


def _refusal_of_tags(case: ExceptionCase, instruction: Instruction) -> str:
    """Why nothing of that can be put on it or taken off; empty for other instructions."""
    if instruction.kind not in _TAGGING:
        return ""
    named, has = set(_tags_of(instruction)), set(case.tags)
    if instruction.kind is BulkKind.UNTAG:
        return "" if named & has else "It has none of these tags."
    if named <= has:
        return "It has these tags already."
    return "" if len(named | has) <= MOST_TAGS else f"It would have more than {MOST_TAGS} tags."


def _refusals_of_documents(
    cases: Sequence[ExceptionCase], instruction: Instruction, *, by: AbstractUser
) -> tuple[dict[int, str], frozenset[int]]:
    """Why documents cannot be changed or proposed, by exception; and those that were not opened, being too many."""
    numbers = [case.pk for case in cases]
    latest = PayloadVersion.objects.filter(case__in=numbers).order_by("case", "-number").distinct("case")
    refusals: dict[int, str] = {}
    to_open = numbers
    if instruction.kind is BulkKind.PROPOSE:
        to_open = []
        for number, passed, check in latest.values_list("case", "check_passed", "check_name"):
            if passed is None:
                to_open.append(number)
            elif not passed:
                refusals[number] = f"This version does not pass the {check}. Correct what is listed first."
    by_number = {case.pk: case for case in cases}
    released = releases_of(by, at=now()) if instruction.kind is BulkKind.SET_VALUE else None
    for part in _parts(sorted(to_open)[:MOST_READ]):
        for version in latest.filter(case__in=part):
            refusals[version.case_id] = _refusal_of_document(by_number[version.case_id], version, instruction, released)
    return refusals, frozenset(sorted(to_open)[MOST_READ:])


def _parts(numbers: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(numbers)
    while part := list(islice(rest, _AT_A_TIME)):
        yield part


def _refusal_of_document(
    case: ExceptionCase, version: PayloadVersion, instruction: Instruction, released: Releases | None
) -> str:
    content, connector = bytes(version.content), case.connection.connector
    try:
        if released is not None:
            changes = changes_of(case, content, instruction)
            if released.rules:
                released.require(case, fields_at(get_connector(connector).read(content), changes))
            return ""
        report = get_connector(connector).check(content)
    except (NothingToDo, Invalid, NotReleased, MessageNotUnderstood, UnknownConnector) as error:
        return str(error)
    return "" if report.passed else str(CheckFailed(report))


def changes_of(case: ExceptionCase, content: bytes, instruction: Instruction) -> Mapping[str, str]:
    """The places of the field that have the old value, each with the new one.

    Raises NothingToDo where none has it, Invalid for a value that the field cannot have, and MessageNotUnderstood.
    """
    record = get_connector(case.connection.connector).read(content)
    named = (instruction.term, instruction.label)
    places = [field for field in record.fields if (field.term, field.label) == named]
    if not places:
        raise NothingToDo(say("Its document has no field “{instruction}”.", instruction=instruction.label))
    if misfit := misfit_of(instruction.will_be, places[0]):
        raise Invalid("will_be", str(misfit))
    found = [field for field in places if (field.value or "").strip() == instruction.was]
    if not found:
        there = sorted(
            {masked_value((field.value or "").strip(), path=field.path, term=field.term) for field in places}
        )
        said = f"is “{there[0]}”" if len(there) == 1 and there[0] else "is missing" if len(there) == 1 else "differs"
        raise NothingToDo(say("Its field “{instruction}” {said}.", instruction=instruction.label, said=said))
    return {field.path: instruction.will_be for field in found}


def carry_out(
    case_id: int, instruction: Instruction, *, revision: int, by: AbstractUser, at: datetime, ref: str
) -> None:
    """Do it with one exception, in the caller's transaction and the person's name. `ref` is that of the run.

    Raises NothingToDo, and whatever the function of the button raises; ChangedMeanwhile when the exception is not at
    the revision at which it was seen. A comment fits at any.
    """
    because = f"{instruction.because} ({ref})".strip()
    if instruction.kind is BulkKind.COMMENT:
        work.comment(case_id, by=by, at=at, text=instruction.text)
    elif instruction.kind in (BulkKind.ASSIGN, BulkKind.GIVE_BACK):
        _assign(case_id, instruction, revision=revision, by=by, at=at, because=because)
    elif instruction.kind is BulkKind.PLAYBOOK:
        _use(case_id, instruction, revision=revision, by=by, at=at)
    elif instruction.kind in _TAGGING:
        _tag(case_id, instruction, revision=revision, by=by, at=at, because=because)
    elif instruction.kind is BulkKind.SET_VALUE:
        _set_value(case_id, instruction, revision=revision, by=by, at=at, because=because)
    elif instruction.kind is BulkKind.PROPOSE:
        propose.propose_replay(case_id, by=by, at=at, because=because, revision=revision)
    else:
        propose.propose_dismissal(
            case_id, outcome=Outcome.WRITTEN_OFF, by=by, at=at, because=because, revision=revision
        )


def _assign(
    case_id: int, instruction: Instruction, *, revision: int, by: AbstractUser, at: datetime, because: str
) -> None:
    colleague = require_sound(instruction)
    case = lock(case_id, revision=revision)
    if case.assignee_id == (colleague.pk if colleague is not None else None):
        raise NothingToDo(
            say("{colleague} has it already.", colleague=colleague) if colleague is not None else say("Nobody has it.")
        )
    work.assign(case_id, to=colleague, by=by, at=at, because=because, revision=revision)


def _use(case_id: int, instruction: Instruction, *, revision: int, by: AbstractUser, at: datetime) -> None:
    version = playbook_of(instruction)
    try:
        playbook_run.use_playbook(
            case_id, version.pk, playbook_run.positions_of(version), by=by, at=at, revision=revision
        )
    except playbook_run.AlreadySo as error:
        raise NothingToDo(error.problem) from error


def _tag(
    case_id: int, instruction: Instruction, *, revision: int, by: AbstractUser, at: datetime, because: str
) -> None:
    case, named = lock(case_id, revision=revision), set(_tags_of(instruction))
    puts_on = instruction.kind is BulkKind.TAG
    left = named - set(case.tags) if puts_on else named & set(case.tags)
    if not left:
        raise NothingToDo(_refusal_of_tags(case, instruction))
    add, remove = (left, frozenset[str]()) if puts_on else (frozenset[str](), left)
    tag(case_id, add=add, remove=remove, by=by, at=at, because=because, revision=revision)


def _set_value(
    case_id: int, instruction: Instruction, *, revision: int, by: AbstractUser, at: datetime, because: str
) -> None:
    case = lock(case_id, revision=revision)
    latest = latest_version(case)
    content = bytes(latest.content)
    changes = changes_of(case, content, instruction)
    operations = get_connector(case.connection.connector).operations_for(content, changes)
    correct(case_id, by=by, at=at, because=because, base_version=latest.number, operations=operations)
