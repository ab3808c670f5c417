"""What the demonstration lacks for every page to have something on it; run inside the installation, by its actions."""

from typing import Final

from tests.stack import RunningStack

_BY_ACTIONS: Final = """
import json
from datetime import timedelta
from uuid import uuid4
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.timezone import now
from audit.queries import EventFilter
from exceptions_app import intake
from exceptions_app.actions import archive_plan
from exceptions_app.actions.bulk_start import frozen_bulk_hash, start_bulk
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.decide import approve
from exceptions_app.actions.export_start import start_export
from exceptions_app.actions.mapping_decide import approve_mapping
from exceptions_app.actions.mapping_propose import Scope, propose_mapping
from exceptions_app.actions.playbooks import save_playbook
from exceptions_app.actions.propose import propose_dismissal
from exceptions_app.bulk_states import BulkKind, Instruction
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, LegalEntity, Queue
from exceptions_app.playbook_steps import Step, StepKind
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.states import Outcome
from exceptions_app.value_rows import WrittenRow
from integrations import inbox
from integrations.handed_in import HandedIn
from integrations.models import Archive, Connection, InboxMessage, PullSource
from integrations.pull import gaps
from tests.journeys.ledger import Cause, refused
at = now()
ledger = Connection.objects.get(slug="corporate-ledger")
people = {user.username: user for user in get_user_model().objects.all()}
source = PullSource(connection=ledger, slug="partner-feed", name="Partner feed", kind="rest", secret="secret",
    settings={"url": "https://feed.example/items", "sequence": "/sequence"}, paused_at=at, paused_because="They move.")
save_configuration(source, by=machine(SETUP), at=at)
with transaction.atomic():
    gaps.note(source, [1, 5], highest=None, first=None, overdue_after=timedelta(), at=at)
terms = {"kind": "payment_terms", "connection": ledger, "queue": Queue.objects.get(slug="receivables")}
terms["entity"] = LegalEntity.objects.get(code="NL01")
first = propose_mapping(Scope(**terms), [WrittenRow(source_value="NET30", target_value="N30")],
    by=people["accountant"], at=at, because="As the ledger calls them.")
approve_mapping(first.pk, by=people["controller"], at=at, frozen_sha256=first.frozen_sha256)
closed = Cause("cost_center", "Line 1: Cost centre", "CC-7000", "CC-2000", "Merged.")
made = refused("4900000099", closed, on=at.date())
inbox.receive(ledger, HandedIn(made["id"], made["payload"]["text"].encode(), "application/json",
    refusal=made["refusal"]["text"].encode(), refusal_media_type="application/json", refusal_status=400),
    via=InboxMessage.Via.API, by="ledger-gateway", at=at)
while not ExceptionCase.objects.filter(document_number="4900000099").exists():
    intake.read_messages(limit=100, at=now())
case = ExceptionCase.objects.get(document_number="4900000099")
save_playbook(case.cause_id, [
    Step(kind=StepKind.WORDS, value="Look up in the ledger where the closed cost centre went, and ask its owner."),
    Step(kind=StepKind.ASSIGN, value="me"), Step(kind=StepKind.TAG, value="month-end"),
    Step(kind=StepKind.COMMENT, value="Asked the owner of the cost centre."),
    Step(kind=StepKind.SNOOZE, value="1")], seen=0, because="As agreed.", by=people["accountant"], at=now())
seen = list(cases_within(reach_of(people["clerk"])).order_by("pk")[:3])
revisions, asked = {one.pk: one.revision for one in seen}, Instruction(kind=BulkKind.COMMENT, text="Seen.")
start_bulk(asked, revisions, by=people["clerk"], at=now(), key=uuid4(),
    frozen_sha256=frozen_bulk_hash(asked, seen, revisions))
archive = Archive(slug="evidence", name="Evidence archive", kind="folder", settings={"folder": "evidence"}, in_use=True)
save_configuration(archive, by=machine(SETUP), at=at, because="For auditors.")
old = ExceptionCase.objects.filter(state="new", kind="failed", connection__connector="en16931")
old = old.exclude(document_number="INV-2026-0417").earliest("opened_at")
then = old.opened_at + timedelta(hours=1)  # on a day that is over by now
ended = propose_dismissal(old.pk, outcome=Outcome.FIXED_AT_SOURCE, by=people["clerk"], at=then,
    because="Billing cancelled this invoice and issues a new one.")
approve(old.pk, by=people["controller"], at=then + timedelta(minutes=9), frozen_sha256=ended.frozen_sha256)
archive_plan.plan_next(at=at)
start_export(EventFilter(scopes=None), "xlsx", by=people["auditor"], at=now(), key=uuid4())
propose_mapping(Scope(**terms | {"kind": "cost_center"}), [WrittenRow(source_value="CC-7000", target_value="CC-2000")],
    by=people["accountant"], at=now(), because=closed.because, mends={case.pk: case.revision})
"""


def furnish(stack: RunningStack) -> None:
    """A feed with a gap, a mapping that holds and one that waits, a bulk run, an archive, an export, a file."""
    stack.manage("shell", "--no-imports", "-c", _BY_ACTIONS)
    folder = stack.home / "intake" / "billing-nl"
    stack.wait_until(folder.is_dir)  # it is made by whoever looks into it first
    (folder / "elsewhere.xml").symlink_to("/nowhere")
