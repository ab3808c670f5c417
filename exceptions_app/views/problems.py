"""What is wrong with a transaction, as a person reads it: which errors stand, which are solved, and where they are."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from exceptions_app.actions.handover_hold import THE_CHECK, THE_WORKBENCH
from exceptions_app.form_names import field_name
from exceptions_app.notation import as_filled_in
from exceptions_app.queries.case_page import MOST_CHECKED_IN_PASSING, CasePage, Judge, present_errors
from exceptions_app.states import Kind, State
from exceptions_app.templatetags.presentation import with_amounts
from exceptions_app.translation import CODE as FIELD_MAP
from exceptions_app.wording import say, shown, shown_row
from integrations.connectors.base import Connector, Words
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.records.record import Record, RecordField, label_with_term

_TERM = re.compile(r"\bBT-\d{1,3}(?:-\d)?\b")
_CAUSE = re.compile(r"\bof line (\d{1,6}) \((BT-\d{1,3})\)")
_MOST_NEIGHBOURS = 6
_MOST_ALLOWED = 20


class Standing(StrEnum):
    """What is known about an error of the latest version."""

    STANDS = "stands"
    SOLVED = "solved"
    UNSEEN = "unseen"  # the check here cannot see it; the target says so when the document is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error in the words of the page. `name` is the input that mends it, empty when no input does.

    `code_words` say whose code it is, `said_words` who said it; `remedy` what a person does about it. `said_by` names
    who found it where that was not the other system, such as a field map with its version. `was` is what the source
    sent, at `location`; `allowed` are values that would do. `to_type` is `proposed` as it is typed into the field.
    `changed` when the field that it points to has another value than it came in with.
    """

    code: str
    code_words: str
    severity: str
    plain: str
    remedy: str
    original: str
    said_words: str
    location: str
    path: str
    label: str
    value: str | None
    currency: str
    proposed: str | None
    to_type: str
    name: str
    standing: Standing = Standing.STANDS
    changed: bool = False
    found_here: bool = False  # by our own check, before anybody else was asked
    said_by: str = ""
    was: str = ""
    allowed: Sequence[str] = ()
    by_field_map: bool = False

    @property
    def allowed_at_first(self) -> Sequence[str]:
        """As many as are read at a glance."""
        return self.allowed[:_MOST_ALLOWED]

    @property
    def allowed_beyond(self) -> int:
        return max(0, len(self.allowed) - _MOST_ALLOWED)

    @property
    def solved(self) -> bool:
        return self.standing is Standing.SOLVED

    @property
    def asks_for_work(self) -> bool:
        """Whether its field is to be looked at: it stands, or nothing was done about what cannot be seen here."""
        return self.standing is Standing.STANDS or (self.standing is Standing.UNSEEN and not self.changed)

    @property
    def note_id(self) -> str:
        return f"problem-{self.name}" if self.name else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemGroup:
    """Problems that are read together; the first group needs no title."""

    kind: str  # errors, found (here), warnings, unseen, by_hand (what no map could translate), solved
    problems: Sequence[Problem]


def problems_of(page: CasePage, record: Record | None, first: Record | None) -> list[Problem]:
    """What stands against the latest version first, then what only the target can judge, then what is solved.

    `first` is the record of what came in.
    """
    connector = _connector_of(page)
    judge, present = present_errors(page)
    held = page.case.kind == Kind.HELD and judge is not Judge.TARGET
    standing = [_problem(error, record, connector, own=_is_own(error, page, judge), held=held) for error in present]
    if page.latest.number == 1:
        return standing + _found_here(page, record, connector)
    left = {_identity(error) for error in present}
    gone = [error for error in page.came_in if _identity(error) not in left]
    rest = [
        replace(_problem(error, record, connector, own=False), standing=known)
        for error in gone
        if (known := _standing_of(error, page, connector, judge)) is not None
    ]
    found = [replace(problem, changed=_is_changed(problem, first, record)) for problem in standing + rest]
    order = (Standing.STANDS, Standing.UNSEEN, Standing.SOLVED)
    return sorted(found, key=lambda problem: order.index(problem.standing))


def _found_here(page: CasePage, record: Record | None, connector: Connector | None) -> list[Problem]:
    """What our own check says of what came in, beside what was said: it is often more exact.

    Only of a failed one, and only where the check is ours alone: the official one would say the same again.
    """
    if connector is None or connector.capabilities.checks_natively or page.case.kind != Kind.FAILED:
        return []
    if not page.case.is_open or len(page.latest_content) > MOST_CHECKED_IN_PASSING:
        return []
    found = [asdict(error) for error in connector.check(page.latest_content).errors]
    return [replace(_problem(error, record, connector, own=True), found_here=True) for error in found]


def groups_of(problems: Iterable[Problem]) -> list[ProblemGroup]:
    """Errors and warnings apart, and apart from them what cannot be judged here and what is solved."""
    kinds = ("errors", "found", "warnings", "unseen", "by_hand", "solved")
    groups: dict[str, list[Problem]] = {kind: [] for kind in kinds}
    for problem in problems:
        if problem.found_here:
            groups["found"].append(problem)
        elif problem.standing is Standing.UNSEEN and problem.by_field_map:
            groups["by_hand"].append(problem)
        elif problem.standing is not Standing.STANDS:
            groups[problem.standing.value].append(problem)
        else:
            groups["errors" if problem.severity == "error" else "warnings"].append(problem)
    return [ProblemGroup(kind=kind, problems=found) for kind, found in groups.items() if found]


def _connector_of(page: CasePage) -> Connector | None:
    try:
        return get_connector(page.case.connection.connector)
    except UnknownConnector:
        return None


def _is_own(error: Mapping[str, Any], page: CasePage, judge: Judge) -> bool:
    """Whether our check said it; a held transaction shows both what holds it and what the check says."""
    if judge is not Judge.CHECK:
        return False
    return page.case.kind != Kind.HELD or error not in page.came_in


def _standing_of(
    error: Mapping[str, Any], page: CasePage, connector: Connector | None, judge: Judge
) -> Standing | None:
    """Of an error that came in and is not found any more; None of a warning of which nothing is known.

    A version keeps the errors of its check only, so that nothing is known about warnings that the check would find.
    """
    is_error = error.get("severity", "error") == "error"
    accepted = page.case.state == State.RESOLVED
    if judge is Judge.TARGET or accepted:
        return Standing.SOLVED if is_error else None
    if error.get("code") == FIELD_MAP:
        return Standing.SOLVED if page.is_translated(str(error.get("field_path", ""))) else Standing.UNSEEN
    if error.get("said_by") == THE_CHECK:
        return Standing.SOLVED if is_error else None
    if connector is not None and not connector.check_finds(str(error.get("code", ""))):
        return Standing.UNSEEN
    return Standing.SOLVED if is_error else None


def _is_changed(problem: Problem, first: Record | None, record: Record | None) -> bool:
    """Whether the field that it points to has another value than it came in with; of what points nowhere, any."""
    if first is None or record is None:
        return False
    if not problem.name:
        return first.fields != record.fields
    before = first.field_at(problem.path)
    return (before.value if before is not None else None) != problem.value


def _identity(error: Mapping[str, Any]) -> tuple[str, str]:
    return str(error.get("code", "")), str(error.get("field_path", ""))


def _said(words: Words | None, *, by: str, own: bool, held: bool) -> str:
    if by:
        return shown(say("As {who} said it", who=by))
    if words is None:
        return shown(say("As it was said"))
    return shown(words.own_said if own else words.said_of_a_hold if held else words.said)


def _problem(
    error: Mapping[str, Any], record: Record | None, connector: Connector | None, *, own: bool, held: bool = False
) -> Problem:
    path = str(error.get("field_path") or "")
    term = str(error.get("term") or "")
    field = _field_of(record, path, term) if record is not None and path else None
    label = str(error.get("field") or (field.label if field else ""))
    value = error.get("proposed_value")
    proposed = str(value) if value not in (None, "") and field is not None else None
    said_by = str(error.get("said_by") or "")
    says_no_more = (own or said_by) and error.get("text") == error.get("plain")
    code, words = str(error.get("code", "")), connector.words if connector is not None else None
    return Problem(
        code=code,
        code_words=shown((words.own_code if own else words.code) if words is not None else "Code"),
        said_words=_said(words, by=said_by, own=own, held=held),
        remedy="" if own or said_by or connector is None else shown(connector.remedy(code)),
        severity=str(error.get("severity", "error")),
        plain=with_amounts(_plain(error), record.headline.currency if record else ""),
        original="" if says_no_more else str(error.get("text") or ""),
        location="" if says_no_more and not error.get("was") else str(error.get("path") or ""),
        path=field.path if field is not None else path,
        label=_label(label, term, field),
        value=field.value if field else None,
        currency=field.currency if field else "",
        proposed=proposed,
        to_type=as_filled_in(proposed, field) if proposed is not None and field is not None else "",
        name=field_name(field.path) if field is not None else "",
        said_by=said_by,
        was=str(error.get("was") or ""),
        allowed=tuple(error.get("allowed") or ()),
        by_field_map=code == FIELD_MAP,
    )


def _plain(error: Mapping[str, Any]) -> str:
    """What is wrong, in the reader's language where the words are those of our tables; they are kept in English."""
    return shown(str(error.get("plain") or error.get("text") or ""))


def said_by_of(page: CasePage) -> str:
    """Who said what it came in with: the connection's other side, unless we held it ourselves."""
    names = {str(error.get("said_by") or "") for error in page.came_in}
    if not names or "" in names:
        return page.case.connection.name
    return next(iter(names)) if len(names) == 1 else THE_WORKBENCH


def _label(label: str, term: str, field: RecordField | None) -> str:
    """The name of the field with its term; of one row among several, the row is named first."""
    named = label_with_term(shown(label), term)
    return f"{shown_row(field.group)}: {named}" if field is not None and _is_row(field.group) else named


def _field_of(record: Record, path: str, term: str) -> RecordField | None:
    """The field at a path, or the only one of its term: a missing field has another path once it is there."""
    found = record.field_at(path)
    if found is not None or not term:
        return found
    same = [field for field in record.fields if field.term == term]
    return same[0] if len(same) == 1 else None


def named_paths(problems: Iterable[Problem]) -> dict[str, Problem]:
    """Field path → the first problem that points there, of those that ask for work."""
    named: dict[str, Problem] = {}
    for problem in problems:
        if problem.name and problem.asks_for_work:
            named.setdefault(problem.path, problem)
    return named


def neighbours(problems: Iterable[Problem], record: Record) -> list[RecordField]:
    """Fields that a standing rule speaks of beside the one it points to: the likely cause first, then other terms."""
    found: dict[str, RecordField] = {}
    standing = [problem for problem in problems if problem.name and problem.asks_for_work]
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
