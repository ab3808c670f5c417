"""Changes in business fields as they are read: amounts in the reader's notation, with their currency."""

from collections.abc import Iterable, Mapping
from typing import Any

from exceptions_app.actions.correct import business_changes
from exceptions_app.field_classes import CLASS_WORDS, FieldClass, class_of
from exceptions_app.templatetags.presentation import field_text
from exceptions_app.wording import shown
from integrations.records.record import Record, ValueKind, label_with_term


def shown_changes(before: Record, after: Record) -> list[dict[str, str]]:
    """What differs between two documents, as the table of changes wants it."""
    return for_the_table(business_changes(before, after), before, after)


def for_the_table(
    changes: Iterable[Mapping[str, Any]], before: Record | None, after: Record | None
) -> list[dict[str, str]]:
    """Changes as they were stored, for the table; without a document their amounts are shown as they are written."""
    was, will = _currencies(before), _currencies(after)
    return [
        {
            "label": label_with_term(shown(change["label"]), change["term"]),
            "was": field_text(change["was"], was.get(path) or will.get(path)),
            "will": field_text(change["will_be"], will.get(path) or was.get(path)),
            "note": _note(change),
        }
        for path, change in ((change.get("path", ""), change) for change in changes)
    ]


def _note(change: Mapping[str, Any]) -> str:
    """The group of the field; of a masked one also that it changed, which two masks do not show."""
    group = str(change.get("group", ""))
    field_class = class_of(str(change.get("path", "")), term=str(change.get("term", "")))
    if field_class is FieldClass.INTERNAL:
        return group
    return f"{group}: {CLASS_WORDS[field_class]}, changed" if group else f"{CLASS_WORDS[field_class]}, changed"


def _currencies(record: Record | None) -> dict[str, str]:
    """Path → currency, of the fields that hold amounts."""
    if record is None:
        return {}
    return {field.path: field.currency for field in record.fields if field.kind is ValueKind.AMOUNT}
