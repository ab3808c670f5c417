"""What is wrong with a transaction, as a person reads it: which errors stand, which are solved, and where they are."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exceptions_app.forms import field_name
from exceptions_app.queries.case_page import CasePage, present_errors
from exceptions_app.templatetags.presentation import with_amounts
from integrations.records.record import Record, RecordField

_TERM = re.compile(r"\bBT-\d{1,3}(?:-\d)?\b")
_CAUSE = re.compile(r"\bof line (\d{1,6}) \((BT-\d{1,3})\)")
_MOST_NEIGHBOURS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error in the words of the page. `name` is the input that mends it, empty when no input does."""

    code: str
    severity: str
    plain: str
    original: str
    location: str
    path: str
    label: str
    value: str | None
    currency: str
    proposed: str | None
    name: str
    solved: bool = False

    @property
    def note_id(self) -> str:
        return f"problem-{self.name}" if self.name else ""


def problems_of(page: CasePage, record: Record | None) -> list[Problem]:
    """What stands against the latest version first, then what corrections have solved."""
    _, present = present_errors(page)
    standing = [_problem(error, record) for error in present]
    if page.latest.number == 1:
        return standing
    left = {_identity(error) for error in [*present, *_warnings_that_may_stand(page)]}
    solved = [error for error in page.came_in if _identity(error) not in left]
    return standing + [_problem(error, record, solved=True) for error in solved]


def _warnings_that_may_stand(page: CasePage) -> list[Mapping[str, Any]]:
    """A version keeps the errors of its check only, so nothing is known about warnings: they are not called solved."""
    return [error for error in page.came_in if error.get("severity") != "error"]


def _identity(error: Mapping[str, Any]) -> tuple[str, str]:
    return str(error.get("code", "")), str(error.get("field_path", ""))


def _problem(error: Mapping[str, Any], record: Record | None, *, solved: bool = False) -> Problem:
    path = str(error.get("field_path") or "")
    term = str(error.get("term") or "")
    field = _field_of(record, path, term) if record is not None and path else None
    label = str(error.get("field") or (field.label if field else ""))
    proposed = error.get("proposed_value")
    return Problem(
        code=str(error.get("code", "")),
        severity=str(error.get("severity", "error")),
        plain=with_amounts(error.get("plain") or error.get("text") or "", record.headline.currency if record else ""),
        original=str(error.get("text") or ""),
        location=str(error.get("path") or ""),
        path=field.path if field is not None else path,
        label=_label(label, term, field),
        value=field.value if field else None,
        currency=field.currency if field else "",
        proposed=str(proposed) if proposed not in (None, "") and field is not None else None,
        name=field_name(field.path) if field is not None else "",
        solved=solved,
    )


def _label(label: str, term: str, field: RecordField | None) -> str:
    """The name of the field with its term; of one row among several, the row is named first."""
    named = f"{label} ({term})" if term and label else label
    return f"{field.group}: {named}" if field is not None and _is_row(field.group) else named


def _field_of(record: Record, path: str, term: str) -> RecordField | None:
    """The field at a path, or the only one of its term: a missing field has another path once it is there."""
    found = record.field_at(path)
    if found is not None or not term:
        return found
    same = [field for field in record.fields if field.term == term]
    return same[0] if len(same) == 1 else None


def named_paths(problems: Iterable[Problem]) -> dict[str, Problem]:
    """Field path → the first problem that points there, of those that stand."""
    named: dict[str, Problem] = {}
    for problem in problems:
        if problem.name and not problem.solved:
            named.setdefault(problem.path, problem)
    return named


def neighbours(problems: Iterable[Problem], record: Record) -> list[RecordField]:
    """Fields that a standing rule speaks of beside the one it points to: the likely cause first, then other terms."""
    found: dict[str, RecordField] = {}
    standing = [problem for problem in problems if problem.name and not problem.solved]
    taken = {problem.path for problem in standing}
    for problem in standing:
        for field in [*_causes(problem, record), *_of_its_terms(problem, record)]:
            if field.path not in taken:
                found.setdefault(field.path, field)
    return list(found.values())[:_MOST_NEIGHBOURS]


def _causes(problem: Problem, record: Record) -> list[RecordField]:
    """The field of one line that the words name as the cause: the net amount of line 1 (BT-131)."""
    causes = {(f"Line {line}", term) for line, term in _CAUSE.findall(problem.plain)}
    return [field for field in record.fields if (field.group, field.term) in causes]


def _of_its_terms(problem: Problem, record: Record) -> list[RecordField]:
    pointed = record.field_at(problem.path)
    terms = set(_TERM.findall(problem.original))
    return [
        field
        for field in record.fields
        if field.term in terms
        and field.value is not None
        and (pointed is None or field.group == pointed.group or not _is_row(field.group))
    ]


def _is_row(group: str) -> bool:
    """Whether the group is one row of several, such as “Line 3”."""
    return group[-1:].isdigit()
