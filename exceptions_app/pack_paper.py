"""The page in words of an evidence pack of many exceptions: what it is of, whether it has all, and a table of them."""

import json
from collections.abc import Iterator, Mapping, Sequence

from audit.pack import TABLE, Summary
from audit.paper import Section, moment, paper, program_version
from audit.verify_evidence import CANNOT_PROVE, WITHOUT_OUTSIDE
from exceptions_app.models import AuditExport
from exceptions_app.queries.audit_exports import batch_of, delivery_of, filter_of
from exceptions_app.queries.pack_lists import (
    ListedCase,
    Total,
    batch_totals,
    delivery_totals,
    listed_cases,
    opened_totals,
)
from exceptions_app.queries.replay_batches import decision_on
from exceptions_app.veil import Veil

MOST_LISTED = 1_000
_ROWS = 100  # of one table: what is laid out at once
_COLUMNS = (
    ("Exception", 5), ("Outcome", 3), ("Amount", 4), ("Author", 4), ("Proposed by", 4), ("Approved by", 4),
    ("Came in", 4), ("Approved", 4), ("Closed", 4),
)  # fmt: skip
_TOLD = ("since", "until", "batch", "delivery")  # of the filter, by a line of its own
_CHECK = (
    "The file manifest.json lists each file of the pack with its SHA-256, signed with the key of the log. The pack is "
    "checked without the workbench: python verify_evidence.py PACK --checkpoint FILE. Take the program, the key and "
    "the checkpoints from somebody else than whoever gave you the pack. The SHA-256 of the pack as a whole stands with "
    "its manifest in the workbench and, in the event audit.export_finished about {subject}, in the log itself."
)


def pack_as_pdf(export: AuditExport, numbers: Sequence[int], summary: Summary) -> bytes:
    """The same pack gives the same bytes. `numbers` are its exceptions, in their order."""
    made = f"Generated {moment(summary.made_at)} for {export.by} by the Exception Workbench {program_version()}"
    return paper(
        f"Evidence: {_called(export)}",
        [*_facts(export, summary), *_sealed(summary)],
        _sections(export, numbers, summary),
        footer=f"{export.ref} · {made}",
        masked=Veil({}).text,
    )


def _called(export: AuditExport) -> str:
    if batch := export.wanted.get("batch"):
        return f"batch {batch}"
    if delivery := delivery_of(export):
        return f"exceptions closed on {delivery.day}"
    subjects = export.wanted.get("subjects", [])
    return ", ".join(one.partition(":")[2] for one in subjects[:5]) if subjects else _period(export)


def _period(export: AuditExport) -> str:
    bounds = filter_of(export)
    return f"from {moment(bounds.since) or 'the beginning'} until {moment(bounds.until)}"


def _facts(export: AuditExport, summary: Summary) -> Iterator[tuple[str, str]]:
    narrowed = {name: value for name, value in export.wanted.items() if name not in _TOLD}
    yield "Made as", export.ref
    yield "Asked for", f"{moment(export.asked_at)} by {export.by.get_username()}"
    yield "Made", f"{moment(summary.made_at)} by the Exception Workbench {program_version()}"
    yield "Period", _period(export)
    if batch := batch_of(export):
        yield "Batch", f"{batch.ref}, proposed {moment(batch.proposed_at)} by {batch.proposer.get_username()}"
        yield "Frozen list, SHA-256", batch.frozen_sha256
        if decision := decision_on(batch):
            words = f"{decision.verdict} {moment(decision.decided_at)} by {decision.decider.get_username()}"
            yield "Decided on as a whole", words
    if delivery := delivery_of(export):
        yield "For the archive", f"{delivery.ref}, exceptions closed on {delivery.day} (UTC)"
    yield "Further filter", json.dumps(narrowed, sort_keys=True, ensure_ascii=False) if narrowed else "none"
    yield "Legal entities and queues", ", ".join(scope for scope in export.scopes if "/" in scope)
    yield "Events in this pack", f"{summary.events:,}"
    yield "Events not sealed then, and not in it", f"{summary.not_sealed_yet:,}"


def _sealed(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "Sealed by the checkpoint", str(summary.checkpoint.signed_note).strip()
    for name, told in summary.files.items():
        yield f"{name}, SHA-256", f"{told['sha256']}, {told['bytes']:,} bytes"


def _sections(export: AuditExport, numbers: Sequence[int], summary: Summary) -> Iterator[Section]:
    yield Section(
        title="Whether it has all", text=_words(export), columns=(("What", 4), ("Exceptions", 2), ("Money", 5)),
        rows=[(one.words, f"{one.count:,}", _money(one.money)) for one in _totals(export, numbers, summary)],
    )  # fmt: skip
    cannot = "\n".join(f"· {what}" for what in (*CANNOT_PROVE, WITHOUT_OUTSIDE))
    yield Section(title="What it does not prove", text=cannot)
    yield Section(title="How to check it", text=_CHECK.format(subject=export.subject))
    shown = numbers[:MOST_LISTED]
    said = f"The first {len(shown):,} of {len(numbers):,} are here; all are in {TABLE} of this pack."
    yield Section(title="Exceptions", text=said if len(shown) < len(numbers) else f"{len(numbers):,}, all of the pack.")
    for first in range(0, len(shown), _ROWS):
        cases = listed_cases(shown[first : first + _ROWS])
        if cases:
            yield Section(title=f"{cases[0].ref} to {cases[-1].ref}", columns=_COLUMNS, rows=list(map(_row, cases)))


def _words(export: AuditExport) -> str:
    if "batch" in export.wanted:
        return "The list was frozen when the batch was proposed, with the number and the money that were approved."
    if "delivery" in export.wanted:
        return "The list was frozen when the delivery was planned: what was closed on the day, and in no delivery yet."
    narrowing = [name for name in ("actor", "action", "subjects") if name in export.wanted]
    words = "What came in during the period is counted from the tables of the workbench, and not from the log."
    return f"{words} The pack is narrowed by {' and '.join(narrowing)} too." if narrowing else words


def _totals(export: AuditExport, numbers: Sequence[int], summary: Summary) -> Iterator[Total]:
    yield Total(words="In this pack", count=summary.exceptions, money=summary.money)
    if batch := batch_of(export):
        yield from batch_totals(batch, set(numbers))
    elif delivery := delivery_of(export):
        yield from delivery_totals(delivery, set(numbers))
    else:
        yield from opened_totals(filter_of(export), set(numbers))


def _money(money: Mapping[str, str]) -> str:
    return "\n".join(f"{amount} {currency}" for currency, amount in money.items()) or "none"


def _row(case: ListedCase) -> tuple[str, ...]:
    amount = f"{case.amount:f} {case.currency}" if case.amount is not None else ""
    return (
        f"{case.ref}\n{case.number}", case.outcome, amount, case.authors, case.proposed_by, case.approved_by,
        moment(case.opened_at), moment(case.approved_at), moment(case.closed_at),
    )  # fmt: skip
