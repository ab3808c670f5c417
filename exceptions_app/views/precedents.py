"""Values that precedents suggest for the fields of a correction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from exceptions_app.form_names import field_name
from exceptions_app.forms import offered_name
from exceptions_app.queries.case_page import CasePage
from exceptions_app.queries.precedents import Asked, Precedent, precedents_of
from exceptions_app.queries.reach import Reach
from exceptions_app.views.problems import Problem
from integrations.records.record import Record, RecordField


def suggestions_for(
    page: CasePage, record: Record | None, first: Record | None, problems: Iterable[Problem], reach: Reach
) -> dict[str, Precedent]:
    """Path of a field with a problem → what is suggested for it. At most one query."""
    if record is None or not page.case.is_open:
        return {}
    codes: defaultdict[str, set[str]] = defaultdict(set)
    for problem in problems:
        if problem.name and problem.asks_for_work:
            codes[problem.path].add(problem.code)
    fields = {path: record.field_at(path) for path in codes}
    asked = [
        Asked(field, codes[path], _came_in_with(field, first)) for path, field in fields.items() if field is not None
    ]
    return precedents_of(page.case, asked, reach)


def _came_in_with(field: RecordField, first: Record | None) -> str:
    """The value before anybody corrected it. A field that was missing has another path once it is there."""
    if first is None:
        return field.value or ""
    same = [one for one in first.fields if one.path == field.path] or [
        one for one in first.fields if (one.term, one.group, one.label) == (field.term, field.group, field.label)
    ]
    return (same[0].value or "") if len(same) == 1 else field.value or ""


def offered_in(sent: Mapping[str, str], suggested: Iterable[Precedent]) -> list[Precedent]:
    """Those of the suggestions that were on the page which was sent: what came up since was not seen by the person."""
    return [one for one in suggested if sent.get(offered_name(field_name(one.field.path))) == one.value]
