"""The correction form laid out for reading: fields in error first, what the rule speaks of next, the rest in groups."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from django.forms import BoundField
from django.utils.text import slugify

from exceptions_app.form_names import field_name
from exceptions_app.forms import CorrectionForm
from exceptions_app.notation import as_filled_in, as_written
from exceptions_app.queries.precedents import Precedent
from exceptions_app.views.problems import Problem, named_paths, neighbours
from exceptions_app.wording import shown, shown_row
from integrations.records.record import Record, RecordField, ValueKind, readable_term

# Beyond this many inputs the other groups are fetched when asked for, so that a long invoice stays quick.
MOST_FIELDS = 250
LONG_VALUE = 120  # characters that do not fit into one line
_RIGHT_ALIGNED = frozenset({ValueKind.AMOUNT, ValueKind.PERCENT, ValueKind.QUANTITY})


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """One business field with its input. There are a hundred on a page, so the template writes the input itself."""

    bound: BoundField
    name: str
    value: str
    label: str
    term: str
    was: str
    changed: bool
    modifier: str
    currency: str
    several_lines: bool
    problem: Problem | None = None
    suggestion: Precedent | None = None
    suggested: str = ""  # what the suggestion has here, and what it was there before, as it is typed
    suggested_was: str = ""
    closed: str = ""

    @property
    def is_fixed(self) -> bool:
        """What is not released is for reading. What was typed there nevertheless can be taken out again."""
        return bool(self.closed) and not self.changed

    @property
    def described_by(self) -> str:
        """The ids of the notes above the input."""
        notes = [f"{self.bound.auto_id}_helptext"] if self.bound.help_text else []
        notes += [f"{self.bound.auto_id}_error"] if self.bound.errors else []
        notes += [self.problem.note_id] if self.problem else []
        notes += [f"{self.problem.note_id}-was"] if self.problem and self.problem.was else []
        notes += [f"{self.problem.note_id}-allowed"] if self.problem and self.problem.allowed else []
        notes += [f"{self.bound.auto_id}_closed"] if self.closed else []
        notes += [f"{self.bound.auto_id}_precedent"] if self.suggestion else []
        return " ".join(notes)


@dataclass(slots=True)
class FieldGroup:
    """A heading with its fields; those the document lacks come last."""

    title: str
    rows: list[FieldRow] = field(default_factory=list)
    is_open: bool = False

    @property
    def slug(self) -> str:
        return slugify(self.title)

    @property
    def preview(self) -> str:
        """What tells this group from its neighbours: the name of the party or of the item."""
        return next((row.was for row in self.rows if row.was and row.label.lower().endswith("name")), "")

    @property
    def present(self) -> list[FieldRow]:
        return [row for row in self.rows if row.was or row.changed]

    @property
    def missing(self) -> list[FieldRow]:
        return [row for row in self.rows if not (row.was or row.changed)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The whole form: `named` by the refusal, `near` to it, `groups`, and the titles of groups left out for length.

    `closed` counts the fields that the reader may not change.
    """

    named: Sequence[FieldRow]
    near: Sequence[FieldRow]
    groups: Sequence[FieldGroup]
    left_out: Sequence[str]
    changed: int
    closed: int


def lay_out(
    form: CorrectionForm,
    record: Record,
    problems: Iterable[Problem],
    *,
    asked_for: Collection[str] = (),
    suggested: Mapping[str, Precedent] = MappingProxyType({}),
    closed: Mapping[str, str] = MappingProxyType({}),
) -> Layout:
    """Arrange the fields of a form; `asked_for` are titles of groups to show in any case, `suggested` are by path.

    `closed` says by path why the reader may not change a field.
    """
    problems = list(problems)
    named = named_paths(problems)
    near = [found.path for found in neighbours(problems, record)]
    rows = {
        item.path: _row(form, item, named.get(item.path), suggested.get(item.path), closed.get(item.path, ""))
        for item in record.fields
    }
    apart = {path: replace(rows[path], label=_full_label(record, path)) for path in [*named, *near] if path in rows}
    groups, left_out = _grouped(form, record, rows, taken={*named, *near}, asked_for=asked_for)
    return Layout(
        named=[apart[path] for path in named if path in apart],
        near=[apart[path] for path in near],
        groups=groups,
        left_out=left_out,
        changed=sum(row.changed for row in rows.values()),
        closed=len(closed),
    )


def _full_label(record: Record, path: str) -> str:
    """Away from its group, a field of one row among several says of which: “Line 3: Cost centre”."""
    field = record.field_at(path)
    if field is None:
        return ""
    return f"{shown_row(field.group)}: {shown(field.label)}" if field.group[-1:].isdigit() else field.label


def _row(
    form: CorrectionForm, item: RecordField, problem: Problem | None, suggestion: Precedent | None, closed: str
) -> FieldRow:
    name = field_name(item.path)
    return FieldRow(
        bound=form[name],
        name=name,
        value=form.shown(name),
        label=item.label,
        term=readable_term(item.term),
        was=as_written(item),
        changed=form.differs(name),
        modifier="number" if item.kind in _RIGHT_ALIGNED else "",
        currency=item.currency,
        several_lines="\n" in (item.value or "") or len(item.value or "") > LONG_VALUE,
        problem=problem,
        suggestion=suggestion if not closed else None,
        suggested=as_filled_in(suggestion.value, item) if suggestion else "",
        suggested_was=as_filled_in(suggestion.was, item) if suggestion else "",
        closed=closed,
    )


def _grouped(
    form: CorrectionForm,
    record: Record,
    rows: Mapping[str, FieldRow],
    *,
    taken: Collection[str],
    asked_for: Collection[str],
) -> tuple[list[FieldGroup], list[str]]:
    groups: dict[str, FieldGroup] = {}
    for item in record.fields:
        group = groups.setdefault(item.group, FieldGroup(item.group))
        if item.path not in taken:
            group.rows.append(rows[item.path])
    shown: list[FieldGroup] = []
    left_out: list[str] = []
    count = len(taken)
    for group in groups.values():
        touched = any(row.changed or row.name in form.errors for row in group.rows)
        group.is_open = touched or group.title in asked_for
        if not group.rows:
            continue
        if count + len(group.rows) > MOST_FIELDS and not group.is_open:
            left_out.append(group.title)
            continue
        count += len(group.rows)
        shown.append(group)
    return shown, left_out
