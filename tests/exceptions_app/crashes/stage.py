"""Documents brought before the engine, and what the target makes of them, for processes that end on the way."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from django.db import connection as database
from django.db.models.functions import Now

from exceptions_app.actions.correct import correct
from exceptions_app.models import ExceptionCase, PayloadVersion, Proposal
from exceptions_app.tasks import sweep
from integrations import inbox
from integrations.connectors.erp import connector
from integrations.crash_points import Point
from integrations.models import Delivery, InboxMessage
from tests.arrivals import approve_open, configure, propose, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import submission, time_passes
from tests.exceptions_app.paying import OPEN_IBANS, change_bank, correct_and_approve
from tests.integrations.connectors.erp.postings import journal
from tests.integrations.connectors.iso20022.payment_files import IBANS, Wire, payment_file
from tests.mortal_workers import NOWHERE, Workers
from tests.simulator_process import RunningSimulator

POSTINGS = "/erp/postings"
_ROWS = json.loads(journal())["lines"]
_ENOUGH = 8  # sweeps until everything has ended
_numbers = count(1)


@dataclass
class Stage:
    """One target, one document after another. `point` is where the next process ends, once."""

    cast: Cast
    simulator: RunningSimulator
    workers: Workers
    point: Point | str = NOWHERE
    how: str = "kill"
    ended_at: list[Point | str] = field(default_factory=list)

    def lead_to_the_erp(self) -> None:
        configure(
            self.cast.connection, connector="erp", target_url=self.simulator.erp_url, target_kind="", collect_seconds=0
        )

    def receive(self) -> str:
        """A journal that the ERP refused; the number that it has there."""
        number = f"JE-{next(_numbers):05}"
        payload = journal(reference=number, lines=[{**_ROWS[0], "cost_center": None}, _ROWS[1]])
        answer = self.simulator.post(POSTINGS, payload, Content_Type="application/json", Idempotency_Key=f"by-{number}")
        message = inbox.HandedIn(
            f"message-{number}", payload, payload_media_type="application/json", refusal=answer.content,
            refusal_media_type="application/json", refusal_status=answer.status_code,
        )  # fmt: skip
        receive(self.cast.connection, message)
        return number

    def proposed(self) -> ExceptionCase:
        """Read, corrected and proposed."""
        number = self.receive()
        self.read()
        case = ExceptionCase.objects.get(document_number=number)
        self.correct(case)
        propose(case, by=self.cast.clerk)
        return case

    def correct(self, case: ExceptionCase) -> None:
        content = bytes(PayloadVersion.objects.get(case=case, number=1).content)
        steps = connector.operations_for(content, {"/lines/0/cost_center": "CC-1000"})
        correct(case.pk, by=self.cast.clerk, at=MORNING, because="As agreed.", base_version=1, operations=steps)

    def approved(self) -> ExceptionCase:
        return approve_open(self.proposed(), by=self.cast.controller)

    def payments(self, ibans: Sequence[str] = OPEN_IBANS) -> list[ExceptionCase]:
        """Three payments that a bank rejected, corrected and approved: they travel in one file."""
        configure(
            self.cast.connection, connector="iso20022", target_url=self.simulator.bank_url, target_kind="",
            collect_seconds=30,
        )  # fmt: skip
        change_bank(self.simulator, accounts={IBANS[1]: "closed", IBANS[3]: "blocked"})
        file = next(_numbers)
        wires = [Wire(f"P-{file}-{position}", cents=1000 + position, iban=IBANS[1]) for position in range(3)]
        payload = payment_file(*wires)
        answer = self.simulator.post(
            "/bank/payments", payload, Content_Type="application/xml", Idempotency_Key=f"source-{file}"
        )
        message = inbox.HandedIn(
            f"file-{file}", payload, payload_media_type="application/xml", refusal=answer.content,
            refusal_media_type="application/xml", refusal_status=answer.status_code,
        )  # fmt: skip
        receive(self.cast.connection, message)
        self.read()
        cases = list(
            ExceptionCase.objects.filter(occurrences__inbox_message__external_id=f"file-{file}").order_by("pk")
        )
        correct_and_approve(cases, cast=self.cast, ibans=ibans)
        return cases

    def book_elsewhere(self, case: ExceptionCase, **changes: Any) -> None:
        """Somebody else books the document that is approved, or one of that name with other content."""
        content = json.loads(bytes(PayloadVersion.objects.get(case=case, number=2).content))
        answer = self.simulator.post(
            POSTINGS, json.dumps(content | changes).encode(), Content_Type="application/json",
            Idempotency_Key=f"elsewhere-{case.document_number}",
        )  # fmt: skip
        assert answer.status_code == 201, answer.text

    def as_usual(self) -> None:
        """The target does what it is for."""

    def refuse(self) -> None:
        """From now on everything."""
        self.simulator.fault("refuse", path=POSTINGS)

    def no_answer(self, path: str = POSTINGS, **more: Any) -> None:
        """The next request is carried out, and nothing is heard of it."""
        self.simulator.fault("timeout_after", path=path, times=1, seconds=0, **more)

    def read(self) -> None:
        """Messages become exceptions, and nobody dies."""
        sweep()

    def sweep(self) -> None:
        """A worker comes by; it ends at the point if it gets there and none has before."""
        if self.ended_at:
            sweep()
        else:
            self.let_go()
            if self.workers.sweep(ends_at=self.point, how=self.how):
                self.ended_at.append(self.point)
        let_time_pass()

    def approve(self, case: ExceptionCase) -> None:
        """A controller presses the button, and again when nothing was seen of the first time."""
        self.let_go()
        if self.workers.approve(case.pk, by=self.cast.controller.username, ends_at=self.point, how=self.how):
            self.ended_at.append(self.point)
        if Proposal.objects.filter(case=case, state=Proposal.State.OPEN).exists():
            assert self.workers.approve(case.pk, by=self.cast.controller.username) is False

    def let_go(self) -> None:
        """Nothing of ours is open while others work."""
        database.close()

    def work_until_done(self) -> None:
        let_time_pass()
        for _ in range(_ENOUGH):
            self.sweep()
            if not is_anything_left():
                return


def let_time_pass() -> None:
    """Leases and waits end, those of readers too."""
    time_passes()
    InboxMessage.objects.filter(claimed_until__isnull=False).update(claimed_until=Now() - timedelta(seconds=1))


def is_anything_left() -> bool:
    pending = InboxMessage.objects.filter(status=InboxMessage.Status.PENDING)
    return Delivery.objects.filter(state__in=Delivery.LIVE).exists() or pending.exists()


def needs_asking(case: ExceptionCase) -> None:
    """As if the refusal that came in had not been definitive."""
    Delivery.objects.filter(pk=submission(case).pk).update(probe_first=True)
