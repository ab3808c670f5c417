"""What a playbook says, as data: steps in words and steps that are actions, in their order. Nothing is asked here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Final, Self

from exceptions_app.field_classes import FieldClass, mask
from exceptions_app.named_fields import class_named
from exceptions_app.tags import NotATag, read_tags
from exceptions_app.wording import Said, said_by, say

MOST_STEPS: Final = 10
MOST_DAYS: Final = 90
LONGEST_VALUE: Final = 450
LONGEST_FIELD: Final = 150
ME: Final = "me"


class StepKind(StrEnum):
    WORDS = "words"
    ASSIGN = "assign"
    TAG = "tag"
    SNOOZE = "snooze"
    COMMENT = "comment"
    SET_VALUE = "set_value"
    PROPOSE = "propose"


STEP_WORDS: Mapping[StepKind, str] = {
    StepKind.WORDS: "In words",
    StepKind.ASSIGN: "Assign to",
    StepKind.TAG: "Tag",
    StepKind.SNOOZE: "Snooze for days",
    StepKind.COMMENT: "Comment",
    StepKind.SET_VALUE: "Write into my draft",
    StepKind.PROPOSE: "Propose replay",
}
NEEDS_SECOND: Final = frozenset({StepKind.SET_VALUE, StepKind.PROPOSE})
"""A playbook with one of these takes a second person before it is offered: it leads to what a target gets."""


class NotAStep(ValueError):
    """A step that cannot be used. `position` counts from 1; the message is for whoever wrote it."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(say("Step {position}: {problem}", position=position, problem=problem))
        self.position = position


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`value` is what the kind asks for: words, a user name, tags, days, a text, a value or a reason.

    `field` and `was` are for a value: which field of the document, and what must stand there; empty for anything.
    """

    kind: StepKind
    value: str
    field: str = ""
    was: str = ""

    @property
    def does_something(self) -> bool:
        return self.kind is not StepKind.WORDS

    @property
    def masked(self) -> Self:
        """The step as everybody may read it: a playbook belongs to no exception whose values somebody may be shown.

        No such value is kept any more, but one may have been.
        """
        field_class = class_named(self.field)
        if field_class is FieldClass.INTERNAL:
            return self
        return replace(self, value=mask(self.value, field_class), was=mask(self.was, field_class))

    @property
    def words(self) -> str:
        """“Assign to cem”, “Write into my draft: Issue date → “2026-11-02””."""
        if self.kind is StepKind.WORDS:
            return self.value
        if self.kind is StepKind.SET_VALUE:
            shown = self.masked
            draft = say("Write into my draft: {field} → “{value}”", field=self.field, value=shown.value)
            return say("{draft} where it is “{was}”", draft=draft, was=shown.was) if shown.was else draft
        if self.kind is StepKind.SNOOZE:
            return say("Snooze for 1 day") if self.value == "1" else say("Snooze for {days} days", days=self.value)
        if self.kind is StepKind.ASSIGN:
            return say("Assign to me") if self.value == ME else say("Assign to {person}", person=self.value)
        return say("{does}: {what}", does=say(STEP_WORDS[self.kind]), what=self.value)

    def kept(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items() if value}


def steps_of(kept: Sequence[Mapping[str, str]]) -> list[Step]:
    """Steps as they were kept."""
    return [
        Step(kind=StepKind(one["kind"]), value=one.get("value", ""), field=one.get("field", ""), was=one.get("was", ""))
        for one in kept
    ]


def needs_second(steps: Sequence[Step]) -> bool:
    return any(step.kind in NEEDS_SECOND for step in steps)


def by_hand(field: str) -> Said:
    """Why a value of this field is in no playbook."""
    return say("“{field}” is typed by hand each time: bank details and names are in no playbook.", field=field)


def sound(steps: Sequence[Step]) -> list[Step]:
    """The steps in their one spelling. Raises NotAStep. Whether a colleague is there, the action says."""
    if len(steps) > MOST_STEPS:
        raise NotAStep(MOST_STEPS + 1, say("a playbook has at most {most_steps} steps.", most_steps=MOST_STEPS))
    return [_sound(position, step) for position, step in enumerate(steps, start=1)]


def _sound(position: int, step: Step) -> Step:
    value = step.value.strip()
    if not value and step.kind is not StepKind.SET_VALUE:
        raise NotAStep(position, say("write what “{kind}” asks for.", kind=say(STEP_WORDS[step.kind])))
    if len(value) > LONGEST_VALUE or len(step.field) > LONGEST_FIELD or len(step.was) > LONGEST_VALUE:
        raise NotAStep(
            position, say("a step has at most {longest_value} characters. Shorten it.", longest_value=LONGEST_VALUE)
        )
    if step.kind is StepKind.SNOOZE and not (value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_DAYS):
        raise NotAStep(position, say("write a number of days, 1 to {most_days}.", most_days=MOST_DAYS))
    if step.kind is StepKind.TAG:
        try:
            value = ",".join(read_tags(value))
        except NotATag as error:
            raise NotAStep(position, said_by(error)) from error
    takes_field = step.kind is StepKind.SET_VALUE
    if takes_field and not step.field.strip():
        raise NotAStep(position, say("name the field, as the correction form calls it."))
    if takes_field and class_named(step.field) is not FieldClass.INTERNAL:
        raise NotAStep(position, by_hand(step.field.strip()))
    return Step(
        kind=step.kind,
        value=value,
        field=step.field.strip() if takes_field else "",
        was=step.was.strip() if takes_field else "",
    )
