"""What is typed into a correction: as a draft keeps it, and as its author sees it again, in whichever language.

A draft has the numbers as the document has them. Kept as they were typed they would be others in the other language.
"""

from collections.abc import Callable, Mapping

from exceptions_app.form_names import field_name
from exceptions_app.forms import typed_texts
from exceptions_app.models import ExceptionCase
from exceptions_app.notation import as_filled_in, as_kept, is_of_the_document
from exceptions_app.queries.case_page import content_of
from integrations.connectors.registry import get_connector
from integrations.records.record import Record, RecordField
from integrations.refusals import MessageNotUnderstood


def to_keep(sent: Mapping[str, str], case: ExceptionCase, base_version: int) -> dict[str, str]:
    """The texts among what was sent from a page of that version."""
    return _each(typed_texts(sent), _record(case, base_version), as_kept)


def to_compare(kept: Mapping[str, str], case: ExceptionCase, base_version: int) -> dict[str, str]:
    """Those of a draft of an older version."""
    return to_show(kept, _record(case, base_version))


def to_show(kept: Mapping[str, str], record: Record | None) -> dict[str, str]:
    """Those of a draft as they stand in the inputs; `record` is that of its version."""
    return _each(typed_texts(kept), record, as_filled_in)


def _each(
    texts: Mapping[str, str], record: Record | None, written: Callable[[str, RecordField], str]
) -> dict[str, str]:
    fields = {field_name(field.path): field for field in record.fields} if record is not None else {}
    return {name: written(text, fields[name]) if name in fields else text for name, text in texts.items()}


def _record(case: ExceptionCase, number: int) -> Record | None:
    """Not read for those who type numbers as the document has them: a draft is kept from time to time while they do."""
    version = None if is_of_the_document() else content_of(case, number)
    try:
        return None if version is None else get_connector(case.connection.connector).read(bytes(version.content))
    except MessageNotUnderstood:
        return None
