"""What closed exceptions hold goes by a policy of retention or on request: some in each transaction, on record.

Rows stay with their hashes, sizes and times, so that what was decided can still be told; their content is emptied. The
database asks the same questions once more for every row, in `models.purge`.
"""

# ruff: noqa: S608 - made of constants of this module and of `models.purge`

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection as database
from django.db import models, transaction

from audit import log
from audit.guard import WrittenOnce, sql_of_empty
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.erasures import close
from exceptions_app.actions.mover import record
from exceptions_app.amounts import in_its_decimals
from exceptions_app.facts import fold
from exceptions_app.machines import RETENTION, machine
from exceptions_app.models import (
    ApiRequest,
    Attachment,
    Comment,
    Draft,
    ErasureRequest,
    Evidence,
    ExceptionCase,
    HistoryOfException,
    Identifier,
    Occurrence,
    PayloadVersion,
    PurgeRun,
    RetentionPolicy,
    Suggestion,
    TransactionContent,
)
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.models.erasure import OF_PERSON
from exceptions_app.models.purge import DUE, LEFT, MAY_GO, OF_THE_CASE, ROW, SUBJECTS, WANTED
from exceptions_app.models.retention import PURGE_LOCK, RecordClass
from integrations.doorbell import TimeIsUp
from integrations.models import (
    DeliveryAnswer,
    DeliveryContent,
    DeliveryEnvelope,
    DeliveryEnvelopeAnswer,
    InboxContent,
)

logger = logging.getLogger(__name__)

AT_ONCE: Final = 50
MOST_RUNS: Final = 20  # of one call: a worker has other things to do

_OF = "SELECT r.id FROM public.{} r WHERE r.case_id = c.id"
_ATTEMPTS = f"""FROM public.integrations_deliveryattempt t JOIN public.integrations_delivery d ON d.id = t.delivery_id
    WHERE d.subject IN {SUBJECTS}"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A table that holds something of an exception: which rows of it, and what of each is hashed before it goes."""

    model: type[models.Model]
    keys: str
    whole: str

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        return str(self.model._meta.pk.column)

    @property
    def emptied(self) -> str:
        """The assignments of an UPDATE: the guard of the table says what is left."""
        guard = next(one for one in self.model._meta.triggers if isinstance(one, WrittenOnce))  # type: ignore[attr-defined]
        return ", ".join(f'"{column}" = {sql_of_empty(value)}' for column, value in guard.emptied.items())


def _text(column: str) -> str:
    return f"convert_to({column}, 'UTF8')"


# In this order: a message goes with the last of its occurrences, and an envelope with the last delivery in it.
KEPT: Mapping[RecordClass, Sequence[Kept]] = {
    RecordClass.DOCUMENTS: (
        Kept(PayloadVersion, _OF.format("exceptions_app_payloadversion"), "x.content"),
        Kept(Occurrence, _OF.format("exceptions_app_occurrence"), _text("x.errors::text")),
        Kept(Suggestion, _OF.format("exceptions_app_suggestion"), _text("x.was || x.value")),
        Kept(Comment, _OF.format("exceptions_app_comment"), _text("x.text")),
        Kept(TransactionContent, _OF.format("exceptions_app_transaction"), "x.payload"),
        Kept(
            InboxContent,
            "SELECT o.inbox_message_id FROM public.exceptions_app_occurrence o WHERE o.case_id = c.id UNION "
            "SELECT t.inbox_message_id FROM public.exceptions_app_transaction t WHERE t.case_id = c.id",
            "x.payload || x.refusal",
        ),
        Kept(
            DeliveryContent,
            f"SELECT d.id FROM public.integrations_delivery d WHERE d.subject IN {SUBJECTS}",
            "x.body",
        ),
        Kept(DeliveryAnswer, f"SELECT t.id {_ATTEMPTS}", "x.body"),
        Kept(DeliveryEnvelope, f"SELECT t.envelope_id {_ATTEMPTS}", "x.body"),
        Kept(DeliveryEnvelopeAnswer, f"SELECT t.envelope_id {_ATTEMPTS}", "x.body"),
    ),
    RecordClass.FILES: (
        Kept(Attachment, _OF.format("exceptions_app_attachment"), "x.content"),
        Kept(Evidence, _OF.format("exceptions_app_proposal"), "x.content"),
    ),
}

_NAMES = (
    Kept(
        HistoryOfException,
        "SELECT r.history_id FROM public.exceptions_app_historicalexceptioncase r WHERE r.id = c.id",
        _text("concat_ws(' ', x.counterparty, x.problem, x.waiting_for)"),
    ),
)
_APPROVED = ErasureRequest.State.APPROVED


@dataclass(frozen=True, slots=True)
class Due:
    """What one policy would let go now, and what a hold or something that goes on keeps although its time is over."""

    policy: RetentionPolicy
    count: int
    money: Mapping[str, str]
    kept_back: int


def what_is_due() -> list[Due]:
    """Of each policy in force; nothing is changed. Two queries for each."""
    return [_due(policy) for policy in _in_force()]


def purge_due(*, at: datetime, most: int = MOST_RUNS) -> list[PurgeRun]:
    """Erase what is due, each transaction by itself, until nothing is left or so many runs are done.

    None keeps another from running: one that breaks off is logged, and taken up by the next call.
    """
    runs: list[PurgeRun] = []
    for request_id in ErasureRequest.objects.filter(state=_APPROVED).order_by("pk").values_list("pk", flat=True):
        with _logged(f"erasure request {request_id}"):
            while len(runs) < most and (run := erase_some(request_id, at=at)) is not None:
                runs.append(run)
            end_erasure(request_id, at=at)
    for policy in _in_force():
        with _logged(f"policy {policy.ref}"):
            while len(runs) < most and (run := purge_some(policy.pk, at=at)) is not None:
                runs.append(run)
    return runs


@contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except TimeIsUp:
        raise
    except Exception:
        logger.exception("Erasing broke off under %s; the next call takes it up.", what)


@transaction.atomic
def purge_some(policy_id: int, *, at: datetime, limit: int = AT_ONCE) -> PurgeRun | None:
    """Erase what the next exceptions hold of the class of a policy; None when none is due.

    Whoever changes one of them at this moment keeps it: it is not waited for, and found again by the next run.
    """
    _rows("SELECT pg_advisory_xact_lock_shared(%s)", [PURGE_LOCK])  # a hold that is just placed is seen
    policy = RetentionPolicy.objects.select_for_update(of=("self",), no_key=True).get(pk=policy_id)
    left = LEFT[RecordClass(policy.record_class)]
    cases = _locked(f"{_FROM_DUE} AND {left} AND {MAY_GO}", policy.pk, limit)
    return _run(cases, KEPT[RecordClass(policy.record_class)], at=at, policy=policy) if cases else None


@transaction.atomic
def erase_some(request_id: int, *, at: datetime, limit: int = AT_ONCE) -> PurgeRun | None:
    """Erase all that the next exceptions hold of the counterparty of an approved request; None when none may go."""
    _rows("SELECT pg_advisory_xact_lock_shared(%s)", [PURGE_LOCK])
    request = ErasureRequest.objects.select_for_update(of=("self",), no_key=True).get(pk=request_id)
    cases = _locked(f"{_FROM_WANTED} AND {MAY_GO}", request.pk, limit)
    if not cases:
        return None
    run = _run(cases, (*KEPT[RecordClass.DOCUMENTS], *KEPT[RecordClass.FILES], *_NAMES), at=at, request=request)
    for case in cases:  # last: by these it was known whose it is
        kept = {fold(case.document_number)} - {request.folded}  # else it would be found by it again, without an end
        Identifier.objects.filter(case=case).exclude(folded__in=kept).delete()
        # As people write the reference in an address; of EX-1042, and not of EX-10420 as well.
        ApiRequest.objects.filter(path__iregex=rf"/exceptions/({REF_PREFIX})?0*{case.pk}(/|$)").delete()
    ExceptionCase.objects.filter(pk__in=[case.pk for case in cases]).update(counterparty="", problem="", waiting_for="")
    return run


@transaction.atomic
def end_erasure(request_id: int, *, at: datetime) -> bool:
    """Close a request when no exception is left that it is about, open or held; False while there is one."""
    request = ErasureRequest.objects.select_for_update(of=("self",), no_key=True).get(pk=request_id)
    if request.state != _APPROVED or _rows(f"SELECT 1 {_FROM_PERSON} LIMIT 1", [request.pk]):
        return False
    close(request, ErasureRequest.State.DONE, at=at)
    log.record(
        "erasure.done", subject=request.subject, scope=SCOPE, actor=machine(RETENTION).get_username(),
        actor_kind="machine", at=at, summary=f"{request.ref} is carried out: nothing of it is left.",
        data={"erasure": request.ref, "fingerprint": request.fingerprint},
    )  # fmt: skip
    return True


def _run(cases: Sequence[ExceptionCase], what: Sequence[Kept], *, at: datetime, **under: models.Model) -> PurgeRun:
    by = machine(RETENTION)
    run = PurgeRun.objects.create(count=len(cases), money=_money(cases), by_id=by.pk, at=at, **under)
    erased = {case: _erase(case, run, what, at=at) for case in cases}
    for case, counts in erased.items():
        record(
            case, "case.erased", by=by, at=at, data={"run": run.ref, "under": run.under, "rows": counts},
            summary=f"{run.ref} erased what {case.ref} held, {run.under}.",
        )  # fmt: skip
    log.record(
        "purge.done", subject=run.subject, scope=SCOPE, actor=by.get_username(), actor_kind="machine", at=at,
        summary=f"{run.ref} erased what {len(cases)} closed exceptions held, {run.under}.",
        data={
            "under": run.under, "exceptions": [case.ref for case in cases], "money": run.money,
            "rows": sum(sum(counts.values()) for counts in erased.values()),
        },
    )  # fmt: skip
    return run


def _in_force() -> list[RetentionPolicy]:
    found = RetentionPolicy.objects.filter(state=RetentionPolicy.State.IN_FORCE).select_related("entity")
    return list(found.order_by("pk"))


_FROM_DUE = f"""FROM public.exceptions_app_exceptioncase c, public.exceptions_app_retentionpolicy p
    WHERE p.id = %s AND {DUE}"""
_FROM_REQUEST = "FROM public.exceptions_app_exceptioncase c, public.exceptions_app_erasurerequest q WHERE q.id = %s"
_FROM_WANTED = f"{_FROM_REQUEST} AND {WANTED}"
_FROM_PERSON = f"{_FROM_REQUEST} AND {OF_PERSON}"


def _rows(query: str, values: Sequence[str | int | datetime]) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def _locked(source: str, number: int, limit: int) -> list[ExceptionCase]:
    found = _rows(f"SELECT c.id {source} ORDER BY c.id LIMIT %s FOR UPDATE OF c SKIP LOCKED", [number, limit])
    cases = ExceptionCase.objects.select_related("queue", "entity")
    return list(cases.filter(pk__in=[number for (number,) in found]).order_by("pk"))


def _due(policy: RetentionPolicy) -> Due:
    left = LEFT[RecordClass(policy.record_class)]
    found = _rows(
        f"SELECT c.currency, count(*), sum(c.amount), count(c.amount) {_FROM_DUE} AND {left} AND {MAY_GO} GROUP BY 1",
        [policy.pk],
    )
    [(back,)] = _rows(f"SELECT count(*) {_FROM_DUE} AND {left} AND NOT ({MAY_GO})", [policy.pk])
    money = {currency: _plain(total, currency) for currency, _, total, _ in found if total is not None}
    return Due(policy, sum(count for _, count, _, _ in found), money, back)


def _money(cases: Sequence[ExceptionCase]) -> dict[str, str]:
    totals: dict[str, Decimal] = {}
    for case in cases:
        if case.amount is not None:
            totals[case.currency] = totals.get(case.currency, Decimal()) + case.amount
    return {currency: _plain(total, currency) for currency, total in sorted(totals.items())}


def _plain(total: Decimal, currency: str) -> str:
    return f"{in_its_decimals(total, currency):f}"


def _erase(case: ExceptionCase, run: PurgeRun, what: Sequence[Kept], *, at: datetime) -> dict[str, int]:
    """How many rows of each table."""
    counts = {kept.table: _empty(kept, case, run, at=at) for kept in what}
    if PayloadVersion in [kept.model for kept in what]:
        Draft.objects.filter(case=case).delete()
    return {table: number for table, number in counts.items() if number}


def _empty(kept: Kept, case: ExceptionCase, run: PurgeRun, *, at: datetime) -> int:
    _, belongs = OF_THE_CASE[kept.table]
    key = f'x."{kept.key}"'
    noted = _rows(
        f"""
        INSERT INTO public.audit_erased (subject, table_name, row_key, sha256, size, under, at)
        SELECT %s, %s, {key}, encode(sha256({kept.whole}), 'hex'), octet_length({kept.whole}), %s, %s
        FROM public.exceptions_app_exceptioncase c, public.{kept.table} x
        WHERE c.id = %s AND {key} IN ({kept.keys}) AND {belongs.replace(ROW, key)} AND NOT EXISTS (
            SELECT 1 FROM public.audit_erased e WHERE e.table_name = %s AND e.row_key = {key}
        )
        RETURNING row_key
        """,
        [case.subject, kept.table, run.ref, at, case.pk, kept.table],
    )
    keys = [number for (number,) in noted]
    if keys:
        with database.cursor() as cursor:
            cursor.execute(f"UPDATE public.{kept.table} x SET {kept.emptied} WHERE {key} = ANY(%s)", [keys])
    return len(keys)
