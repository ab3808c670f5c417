"""One exception as a PDF for an evidence file: what came in, what was changed, who decided, what was sent and answered.

It shows what the page shows this reader. The veil of all answers cannot see into a PDF, so every text passes it here.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit.export import latest_checkpoint
from audit.paper import Section, moment, paper, program_version
from exceptions_app.answer_words import Answer
from exceptions_app.models import Decision, ExceptionCase, FirstApproval, Proposal
from exceptions_app.queries.case_history import Part
from exceptions_app.queries.case_page import CasePage, read_case_page
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.queries.sensitive import values_of
from exceptions_app.templatetags.presentation import money_text, state_look
from exceptions_app.veil import Veil
from exceptions_app.veiling import veil_for
from exceptions_app.views.case_context import Asked, case_context
from exceptions_app.views.case_history import history_rows
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import RELATED, person, reach_for, visible_case

MOST = 1_000  # entries of each list; a list that is longer says so
_CHANGES = (("Field", 4), ("Was", 3), ("Is", 3))


@require_safe
@never_cache
@signed_in
def case_evidence(request: HttpRequest, ref: str) -> HttpResponse:
    """Made at once and kept nowhere; its SHA-256 is in the answer's header."""
    page = read_case_page(visible_case(request, ref), person(request))
    with translation.override("en"):  # a file for others is the same whoever makes it
        content = _content(request, page)
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{page.case.ref}-evidence.pdf"',
            "X-Content-SHA256": hashlib.sha256(content).hexdigest(),
        },
    )


def _content(request: HttpRequest, page: CasePage) -> bytes:
    context = case_context(page, Asked(), reach_for(request))
    by, veil = person(request).get_username(), veil_for(request)
    return case_as_pdf(page, context, by=by, at=now(), masked=veil.text)


def case_as_pdf(
    page: CasePage, context: dict[str, Any], *, by: str, at: datetime, masked: Callable[[str], str]
) -> bytes:
    """The same exception, reader and time give the same bytes."""
    case = page.case
    made = f"Generated {moment(at)} for {by} by the Exception Workbench {program_version()}"
    return paper(
        f"Evidence of {case.ref}: {case.document_number}",
        [*_facts(page), ("Generated", f"{moment(at)} for {by}"), ("Program", program_version()), *_sealed()],
        _sections(page, context),
        footer=f"{case.ref} · {made}",
        masked=masked,
    )


def case_paper_for(reader: AbstractUser, ref: str, at: datetime) -> bytes | None:
    """For a pack that is made in the background: whatever the reader has shown for a while is masked in it.

    None when there is no such exception that they may see.
    """
    reach = reach_of(reader)
    case = cases_within(reach).select_related(*RELATED).with_ref(ref).first()
    if case is None:
        return None
    page = read_case_page(case, reader)
    context = case_context(page, Asked(), reach)
    return case_as_pdf(page, context, by=reader.get_username(), at=at, masked=Veil(values_of([case.pk])).text)


def _facts(page: CasePage) -> list[tuple[str, str]]:
    case = page.case
    amount = money_text(case.amount, case.currency) if case.amount is not None else ""
    state = state_look(case.state).label
    return [
        ("Exception", f"{case.ref}, revision {case.revision}"),
        ("Document", case.document_number),
        ("Counterparty", case.counterparty),
        ("Amount", amount),
        ("State", f"{state}, {case.outcome.replace('_', ' ')}" if case.outcome else state),
        ("Legal entity and queue", f"{case.entity.code}, {case.queue.name}"),
        ("Came in by", case.connection.name),
        ("Received content, SHA-256", page.first.sha256),
        ("Latest content, SHA-256", page.latest.sha256),
    ]


def _sealed() -> list[tuple[str, str]]:
    note = latest_checkpoint()
    return [("Newest checkpoint of the log", str(note).strip() if note else "none yet")]


def _sections(page: CasePage, context: dict[str, Any]) -> Iterator[Section]:
    case = page.case
    answer: Answer = context["answer"]
    untold = "; not to be told to the customer" if answer.for_reader_alone else ""
    yield Section(title=f"In short{untold}", text=answer.sentence)
    rows, cut = _all(case, Part.ARRIVALS, page)
    yield Section(
        title="What was received", text=cut,
        columns=(("Received", 3), ("Content, SHA-256", 6), ("Content", 2)),
        rows=[
            (moment(row.occurrence.arrived_at), row.occurrence.payload_sha256, "other" if row.differs else "the first")
            for row in rows
        ],
    )  # fmt: skip
    yield Section(title="What was changed", columns=_CHANGES, rows=_changes(context["changes"]), nothing="No field.")
    versions, cut = _all(case, Part.VERSIONS, page)
    if cut:
        yield Section(title="Versions", text=cut)
    for written, changes in versions:
        author = written.author.get_full_name() or written.author.get_username() if written.author else "as received"
        said = f"{moment(written.created_at)}, {author}. {written.reason}\nSHA-256 {written.sha256}"
        yield Section(title=f"Version {written.number}", text=said, columns=_CHANGES, rows=_changes(changes))
    decisions, cut = _decisions(case)
    yield Section(
        title="Who proposed, who decided", text=cut,
        columns=(("When", 3), ("Who", 3), ("What", 2), ("Why", 5), ("Of content", 4)),
        rows=list(decisions),
    )  # fmt: skip
    yield from _deliveries(page)
    rows, cut = _all(case, Part.TIMELINE, page)
    yield Section(
        title="History", text=cut,
        columns=(("When", 3), ("Who", 2), ("What", 6), ("Words", 4), ("Log", 2)),
        rows=[
            (moment(row.at), row.actor, row.sentence, row.quote, row.note.removeprefix("Sealed as number "))
            for row in rows
        ],
    )  # fmt: skip


def _changes(changes: Sequence[dict[str, str]]) -> list[tuple[str, str, str]]:
    return [
        (f"{one['label']}\n{one['note']}".strip(), one["was"] or "(missing)", one["will"] or "(removed)")
        for one in changes
    ]


def _decisions(case: ExceptionCase) -> tuple[Iterator[tuple[str, ...]], str]:
    """The newest, the oldest of them first; and that there are others."""
    found = list(Proposal.objects.filter(case=case).select_related("proposer").order_by("-pk")[: MOST + 1])
    shown = found[:MOST][::-1]
    given: list[FirstApproval | Decision] = [
        *FirstApproval.objects.filter(proposal__in=shown).select_related("decider"),
        *Decision.objects.filter(proposal__in=shown).select_related("decider"),
    ]
    return _told(shown, given), _only_newest() if len(found) > MOST else ""


def _told(found: Sequence[Proposal], given: Sequence[FirstApproval | Decision]) -> Iterator[tuple[str, ...]]:
    decided_on: defaultdict[int, list[FirstApproval | Decision]] = defaultdict(list)
    for decided in sorted(given, key=lambda each: each.decided_at):
        decided_on[decided.proposal_id].append(decided)
    for one in found:
        yield moment(one.proposed_at), str(one.proposer), f"proposed {one.kind}", one.because, one.content_sha256
        for decided in decided_on[one.pk]:
            yield moment(decided.decided_at), str(decided.decider), decided.verdict, decided.because, one.content_sha256


def _deliveries(page: CasePage) -> Iterator[Section]:
    deliveries, cut = _all(page.case, Part.ATTEMPTS, page)
    if cut:
        yield Section(title="Deliveries", text=cut)
    for delivery, attempts, _ in deliveries:
        said = f"{moment(delivery.created_at)}, {delivery.state}. {delivery.detail}\nIdempotency key {delivery.key}"
        said += f"\nContent, SHA-256 {delivery.content_sha256}\nReference {delivery.reference or 'none'}"
        yield Section(
            title=f"Delivery: {delivery.operation} to {delivery.connection.name}", text=said,
            columns=(("Attempt", 2), ("When", 3), ("Result", 3), ("HTTP", 1), ("Answer", 6)),
            rows=[
                (
                    f"{row.number} · {row.phase}", moment(row.at), row.words, str(row.http_status or ""),
                    f"{row.detail}\n{row.reference}\n{row.body}".strip(),
                )
                for row in attempts
            ],
        )  # fmt: skip


def _all(case: ExceptionCase, part: Part, page: CasePage) -> tuple[list[Any], str]:
    """All entries of a list, the oldest first; of a very long one the newest, and the words that say so."""
    rows: list[Any] = []
    after = ""
    while len(rows) < MOST:
        more, after = history_rows(case, part, after=after, limit=MOST - len(rows), verbs=page.standing.verbs)
        rows += more
        if not after:  # of events there are fewer at a time than that
            break
    return rows[::-1], _only_newest() if after else ""


def _only_newest() -> str:
    """What is left out of evidence is named in it."""
    return f"Only the newest {MOST:,} are here; there are others before."
