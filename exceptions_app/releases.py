"""Which business fields a person may correct: the field rules in force, asked of every field that would be changed.

The first rule that fits a field decides, and a field that none fits is free to whoever may correct. A correction is
judged by the fields in which its outcome differs, whichever way it came.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractUser, Group

from exceptions_app.emergency_marks import emergency_of
from exceptions_app.field_classes import FieldClass, class_of, classified_values
from exceptions_app.models import Emergency, ExceptionCase, FieldRule
from exceptions_app.policies import NotPermitted
from exceptions_app.wording import say, together
from integrations.connectors.registry import CONNECTORS
from integrations.records.record import Record, RecordField, ValueKind, label_with_term

MOST_TOLD = 3
_NUMBER: Final = re.compile(r" (?:\d+|\(\d+\))$")
_QUALIFIES: Final = re.compile(r"^(?:currency|tax scheme|type code) of ")
_CURRENCIES: Final = re.compile(r"@Ccy$|@currencyID$|CurrencyCode(?:\[\d+\])?$|/currency$")
_SORTS: Final = {
    ValueKind.AMOUNT: FieldRule.Values.AMOUNT,
    ValueKind.QUANTITY: FieldRule.Values.QUANTITY,
    ValueKind.PERCENT: FieldRule.Values.QUANTITY,
    ValueKind.DATE: FieldRule.Values.DATE,
}
_CLASSES: Final = {FieldClass.BANK: FieldRule.Values.BANK, FieldClass.PERSONAL: FieldRule.Values.PERSONAL}
# Stands for bank details at a place of a document that no form shows, and that the whole document lets one change.
ELSEWHERE: Final = RecordField("", "Bank details beside the fields", "", ValueKind.IDENTIFIER, "/iban", None)


@dataclass(frozen=True, slots=True)
class Closed:
    """A field that the person may not change there, and why."""

    field: RecordField
    why: str

    @property
    def words(self) -> str:
        field = label_with_term(self.field.label, self.field.term)
        return say("“{field}” is not released for you. {why}", field=field, why=self.why)


class NotReleased(NotPermitted):
    """A correction that changes what the person may not. `closed` are all such fields."""

    def __init__(self, closed: Sequence[Closed]) -> None:
        more = len(closed) - MOST_TOLD
        further = say("And {count} more.", count=more) if more > 0 else ""
        super().__init__(together(*(one.words for one in closed[:MOST_TOLD]), further))
        self.closed = tuple(closed)


@dataclass(frozen=True, slots=True)
class Releases:
    """The rules in force, in the order in which they are tried, and what a person has to be let through by them.

    Without a person it is about what two people decided on together: that is released, unless nobody may change it.
    """

    rules: Sequence[FieldRule]
    roles: frozenset[str] = frozenset()
    emergency: Emergency | None = None
    is_a_person: bool = True

    def why_closed(self, case: ExceptionCase, field: RecordField) -> str:
        """Why the person may not change it there; empty when they may."""
        rule = next((rule for rule in self.rules if _fits(rule, case, field)), None)
        if rule is None or rule.who == FieldRule.Who.EVERYBODY:
            return ""
        if rule.who == FieldRule.Who.NOBODY:
            return say("Nobody changes it here ({ref}).", ref=rule.ref)
        if not self.is_a_person or self._roles_in(case).intersection(rule.roles):
            return ""
        return say("It takes the role {roles} ({ref}).", roles=" / ".join(rule.roles), ref=rule.ref)

    def require(self, case: ExceptionCase, fields: Iterable[RecordField]) -> None:
        """Raise NotReleased, which names each of them that the person may not change."""
        closed = [Closed(one, why) for one in fields if (why := self.why_closed(case, one))]
        if closed:
            raise NotReleased(closed)

    def closed_in(self, case: ExceptionCase, record: Record) -> dict[str, str]:
        """Why the person may not change each such field of the document, by path."""
        if not self.rules:
            return {}
        return {one.path: why for one in record.fields if (why := self.why_closed(case, one))}

    def _roles_in(self, case: ExceptionCase) -> frozenset[str]:
        """Those that they have, and the one that they took there for an hour."""
        taken = self.emergency
        if taken is None or (taken.queue_id, taken.entity_id) != (case.queue_id, case.entity_id):
            return self.roles
        return self.roles | {taken.role}


def releases_of(by: AbstractUser | None, *, at: datetime) -> Releases:
    """What the person may change, or for None what two people may. One query; two more where a rule names roles."""
    found = FieldRule.objects.filter(state=FieldRule.State.IN_FORCE).order_by("position", "id")
    rules = list(found)
    if by is None or not any(rule.roles for rule in rules):
        return Releases(rules, is_a_person=by is not None)
    roles = frozenset(Group.objects.filter(user=by.pk).values_list("name", flat=True))
    taken = None
    if emergency_of(by, at=at):
        taken = Emergency.objects.filter(person=by.pk, ended_at=None, ends_at__gt=at).first()
    return Releases(rules, roles, taken)


def changed_fields(before: bytes, was: Record, after: bytes, will: Record) -> list[RecordField]:
    """Each field in which the two differ, and ELSEWHERE when bank details do that are in none of them.

    A field that goes by another name afterwards, as when an invoice becomes a credit note, is there by both.
    """
    then = {one.path: one for one in was.fields}
    now = {one.path: one for one in will.fields}
    paths = [path for path in {**then, **now} if _value(then.get(path)) != _value(now.get(path))]
    both = [one for path in paths for one in (now.get(path), then.get(path)) if one is not None]
    changed = list({(one.path, one.term, one.label, one.group, one.kind): one for one in both}.values())
    told = {
        _value(of.get(one.path)).strip()
        for one in changed if class_of(one.path, term=one.term) is FieldClass.BANK for of in (then, now)
    }  # fmt: skip
    moved = _bank_details(before)
    moved.subtract(_bank_details(after))
    is_elsewhere = any(count and value not in told for (_, value), count in moved.items())
    return [*changed, ELSEWHERE] if is_elsewhere else changed


def fields_at(record: Record, paths: Collection[str]) -> list[RecordField]:
    return [one for one in record.fields if one.path in paths]


def _value(one: RecordField | None) -> str:
    return (one.value or "") if one is not None else ""


def _bank_details(content: bytes) -> Counter[tuple[str, str]]:
    found = classified_values(content) or ()
    return Counter(("/".join(names), text.strip()) for names, text, kind in found if kind is FieldClass.BANK)


def _fits(rule: FieldRule, case: ExceptionCase, one: RecordField) -> bool:
    return (
        rule.queue_id in (None, case.queue_id)
        and rule.object_type in ("", case.object_type)
        and rule.part in ("", plain(one.group))
        and (not rule.field or rule.field.casefold() in _names_of(one))
        and (not rule.sort or rule.sort in _sorts_of(one))
    )


def plain(text: str) -> str:
    """Without the number of one among several: “Line 3” is of the group “Line”."""
    return _NUMBER.sub("", text)


def _names_of(one: RecordField) -> set[str]:
    """What says how a value is meant goes by the name of its value: “Currency of net amount”."""
    label = plain(one.label).casefold()
    return {one.term.casefold(), label, _QUALIFIES.sub("", label)}


def _sorts_of(one: RecordField) -> set[str]:
    found = {_SORTS.get(one.kind, ""), _CLASSES.get(class_of(one.path, term=one.term), "")}
    if _CURRENCIES.search(one.path):
        found.add(FieldRule.Values.AMOUNT)
    return {str(sort) for sort in found}


def names_known(object_type: str = "", part: str = "") -> dict[str, str]:
    """How fields of such transactions may be named, in small letters, with the name that a rule keeps."""
    known = {
        name
        for connector in CONNECTORS.values() if not object_type or object_type in connector.object_types
        for name in connector.vocabulary if part in ("", name.group)
    }  # fmt: skip
    return {text.casefold(): text for name in known for text in (name.label, name.term) if text}


def parts_known() -> list[str]:
    return sorted({name.group for connector in CONNECTORS.values() for name in connector.vocabulary})
