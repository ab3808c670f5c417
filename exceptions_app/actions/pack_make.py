"""The parts of an evidence pack: the log as far as it is sealed, the exceptions that it is about, and the rest."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser

from audit import pack
from audit.evidence import Most
from audit.pack import Part, State
from audit.queries import matching
from audit.spreadsheets import BOM, csv_row
from audit.verify_evidence import EXCEPTIONS
from exceptions_app.models import AuditExport
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.pack_paper import pack_as_pdf
from exceptions_app.queries.audit_exports import SHOWS, bytes_of, filter_of
from exceptions_app.queries.audit_page import exceptions_behind
from exceptions_app.queries.connections import case_number
from exceptions_app.queries.pack_lists import COLUMNS, listed_cases

PATIENCE = timedelta(minutes=1)
"""How long it waits until all that was asked for is sealed; then it is made of what is, and says how much is not."""
LIST_PAGE = 1_000
CasePaper = Callable[[AbstractUser, str, datetime], bytes | None]
"""One exception as a PDF for this reader, at this time; None where they may not see it."""


def next_part(export: AuditExport, state: State, *, most: Most, at: datetime) -> Part | None:
    """What comes after the part that told `state`; None when only the end is missing, or it has to wait.

    Raises NothingSealed.
    """
    events = matching(filter_of(export))
    if not export.parts:
        # The archive gets all or nothing, however long the sealer takes: what is late is told.
        may_wait = at < export.asked_at + PATIENCE or "delivery" in export.wanted
        if may_wait and events.filter(seal__isnull=True).exists():
            return None
        state = pack.begin(events, at=at)
        if may_wait and state["not_sealed_yet"]:
            return None  # sealed, and the checkpoint is still to come
    if not pack.log_is_whole(state):
        return pack.log_part(events, state, most=most, at_byte=export.size)
    if not pack.is_listed(state, pack.TABLE):
        return _list(export, state)
    return None


def _list(export: AuditExport, state: State) -> Part:
    """The next page of the exceptions, first as proof and then for reading."""
    proves = not pack.is_listed(state, EXCEPTIONS)
    begins = state["members"][-1]["over"]  # the file before is whole
    done = 0 if begins else state["listed"]
    numbers = numbers_of(export)
    page, over = numbers[done : done + LIST_PAGE], done + LIST_PAGE >= len(numbers)
    state = {**state, "listed": done + len(page)}
    if proves:
        behind = exceptions_behind(f"case:{REF_PREFIX}{number}" for number in page)
        found = sorted(behind, key=lambda one: (len(one.ref), one.ref))
        return pack.list_part(found, state, at_byte=export.size, over=over)
    rows = b"".join(csv_row(case.cells()) for case in listed_cases(page))
    head = BOM + csv_row(COLUMNS) if begins else b""
    return pack.table_part(head + rows, state, at_byte=export.size, over=over)


def numbers_of(export: AuditExport) -> list[int]:
    """The exceptions that events of the pack are about, as each part of the log told them."""
    told = export.file_parts.filter(told__has_key="subjects").values_list("told__subjects", flat=True)
    found: Iterable[int | None] = (case_number(subject) for subjects in told for subject in subjects)
    return sorted({number for number in found if number is not None})


def ending(export: AuditExport, state: State, *, case_paper: CasePaper | None) -> tuple[bytes, dict[str, int]]:
    """The last bytes: what is written at once, the signed manifest and the directory.

    With the exception that its PDF shows in the way of its page, for whoever may see that.
    """
    shows: dict[str, int] = {}

    def paper(summary: pack.Summary) -> bytes:
        numbers = numbers_of(export)
        if case_paper is not None and numbers and is_of_one(export):
            made = case_paper(export.by, f"{REF_PREFIX}{numbers[0]}", summary.made_at)
            if made is not None:
                shows[SHOWS] = numbers[0]
                return made
        return pack_as_pdf(export, numbers, summary)

    content = pack.end(
        state, at_byte=export.size, so_far=bytes_of(export), by=export.by.get_username(),
        asked_for=export.wanted | {"scopes": export.scopes, "export": export.ref, "asked_at": export.asked_at},
        paper=paper,
    )  # fmt: skip
    return content, shows


def is_of_one(export: AuditExport) -> bool:
    """Whether it was asked for of one exception and nothing else."""
    subjects = export.wanted.get("subjects", [])
    return len(subjects) == 1 and case_number(subjects[0]) is not None
