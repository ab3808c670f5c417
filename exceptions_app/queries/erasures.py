"""What was erased of an exception, when and under which policy or on whose request; and what a request would erase."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database
from django.utils.timezone import localtime

from audit.models import Erased
from exceptions_app.models import ErasureRequest, ExceptionCase, LegalHold, PayloadVersion, PurgeRun
from exceptions_app.models.erasure import OF_PERSON
from exceptions_app.models.purge import CLOSED, HELD, IN_FLIGHT, RUN_PREFIX, UNSEALED
from exceptions_app.models.references import number_in
from exceptions_app.wording import say

MOST_PAST = 50


@dataclass(frozen=True, slots=True)
class Erasure:
    at: datetime
    run: str
    under: str

    @property
    def words(self) -> str:
        return say(
            "Its content was erased on {day} by {run} {under}: documents, messages and comments. Who did what and when "
            "stays below, and so does the SHA-256 of what was there.",
            day=f"{localtime(self.at):%d.%m.%Y}", run=self.run, under=self.under,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Concerned:
    """How many exceptions a request is about, and what keeps some of them."""

    goes: int
    still_open: int
    held: int
    needed: int

    @property
    def kept(self) -> int:
        return self.still_open + self.held + self.needed


def is_erased(case: ExceptionCase) -> bool:
    """Whether the documents of an exception are gone. One query."""
    return PayloadVersion.objects.filter(case=case, content=b"").exists()


def erasure_of(case: ExceptionCase) -> Erasure | None:
    """When and under what its documents were erased; None while they are there. Two queries."""
    found = Erased.objects.filter(subject=case.subject, table_name=PayloadVersion._meta.db_table).first()
    if found is None:
        return None
    run = PurgeRun.objects.get(pk=number_in(found.under, RUN_PREFIX) or 0)
    return Erasure(found.at, found.under, run.under)


_CONCERNED = f"""
    SELECT q.id, count(*) FILTER (WHERE {CLOSED} AND NOT {HELD} AND NOT ({IN_FLIGHT} OR {UNSEALED})),
        count(*) FILTER (WHERE NOT ({CLOSED})), count(*) FILTER (WHERE {CLOSED} AND {HELD}),
        count(*) FILTER (WHERE {CLOSED} AND NOT {HELD} AND ({IN_FLIGHT} OR {UNSEALED}))
    FROM public.exceptions_app_erasurerequest q, public.exceptions_app_exceptioncase c
    WHERE q.state IN ('proposed', 'approved') AND {OF_PERSON} GROUP BY q.id
"""  # noqa: S608 - made of constants


def concerned() -> Mapping[int, Concerned]:
    """Of each request that is not over, what it is about. One query."""
    with database.cursor() as cursor:
        cursor.execute(_CONCERNED)
        return {number: Concerned(*counts) for number, *counts in cursor.fetchall()}


_NAMED = f"""
    SELECT count(*) FROM public.exceptions_app_legalhold q, public.exceptions_app_exceptioncase c
    WHERE q.id = %s AND {OF_PERSON}
"""  # noqa: S608 - made of constants


def number_named(hold: LegalHold) -> int:
    """How many exceptions there are of the counterparty that a hold names. One query."""
    with database.cursor() as cursor:
        cursor.execute(_NAMED, [hold.pk])
        return int(cursor.fetchone()[0])


def live_requests() -> list[ErasureRequest]:
    found = ErasureRequest.objects.select_related("proposer", "decision__decider").order_by("-id")
    return list(found.filter(state__in=[ErasureRequest.State.PROPOSED, ErasureRequest.State.APPROVED]))


def past_requests() -> list[ErasureRequest]:
    """The newest of those that are over, without the name of anybody."""
    found = ErasureRequest.objects.select_related("proposer", "decision__decider").order_by("-id")
    return list(found.filter(closed_at__isnull=False)[:MOST_PAST])
