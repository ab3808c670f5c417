"""One thing of every kind that the product has, all in the place of the cast: a row of nearly every table.

Whoever is granted nothing there finds none of it, whatever else they may do elsewhere.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from django.utils.timezone import now

from audit.queries import EventFilter
from exceptions_app.actions import sending, work
from exceptions_app.actions.access_review import open_review
from exceptions_app.actions.batch_propose import propose_batch
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.delegations import delegate
from exceptions_app.actions.emergencies import take_emergency
from exceptions_app.actions.export_start import start_export
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.playbooks import save_playbook
from exceptions_app.actions.saved_views import save_view
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import (
    ArchiveDelivery,
    Attachment,
    Delegation,
    Draft,
    Evidence,
    ExceptionCase,
    Notification,
    Occurrence,
    Proposal,
    Route,
    SavedView,
)
from exceptions_app.playbook_steps import Step, StepKind
from exceptions_app.states import Verb
from integrations.connectors.registry import CONNECTORS
from integrations.models import Connection, FolderProblem, InboxMessage, MaintenanceWindow, PullSource, SequenceGap
from tests import factories
from tests.cast import MORNING, SET_UP_AT, Cast, grant, person
from tests.exceptions_app.bulk_runs.runs import start
from tests.exceptions_app.replay_batches.target import ScriptedConnector, Target, refused_cases
from tests.exceptions_app.value_mappings import mapping
from tests.exceptions_app.views import growing_lists as grow
from tests.exceptions_app.views.growing_kept import archived

MARK = "Quisquilia"
"""Stands in what only those may read who see the place: in names, comments, amounts' owners and reasons."""

Arguments = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Everything:
    """What stands in the addresses of each thing, by the beginning of its addresses; and of one that is not there."""

    case: ExceptionCase
    there: Mapping[str, Arguments]
    missing: Mapping[str, Arguments]


@contextmanager
def scripted() -> Iterator[None]:
    """The connector of the replay batch, for as long as somebody looks at it."""
    CONNECTORS["scripted"] = ScriptedConnector(Target())
    try:
        yield
    finally:
        del CONNECTORS["scripted"]


def connected(cast: Cast, slug: str, connector: str, position: int, *, name: str = "") -> Cast:
    """The same cast with another connection, which leads to the same place."""
    connection = Connection(
        slug=slug, name=name or f"{MARK} {slug}", connector=connector, target_url="https://target.example/documents"
    )
    route = Route(position=position, connection=connection, queue=cast.einvoicing, entity=cast.netherlands)
    for item in (connection, route):
        save_configuration(item, by=machine(SETUP), at=SET_UP_AT, because="Set up for a test.")
    return replace(cast, connection=connection)


def make_everything(cast: Cast) -> Everything:
    """Within `scripted`, since a batch is proposed for its target."""
    case = make_case_with_all(cast)
    there = {
        "exceptions": of_case(case),
        **of_lists(cast),
        **of_connections(cast),
        **of_mappings(connected(cast, "erp", "erp", 20)),
        "causes": {"ref": case.cause.ref},
        "canonical": {"object_type": "invoice"},
        "scim/v2/Users": {"number": cast.clerk.pk},
        "scim/v2/Groups": {"ref": "clerks"},
        "scim/v2/ResourceTypes": {"ref": "User"},
        "scim/v2/Schemas": {"ref": "urn:ietf:params:scim:schemas:core:2.0:User"},
        "hooks": {"slug": cast.connection.slug},
        "x": {"connection": cast.connection.slug, "ref": case.occurrences.earliest("pk").inbox_message.external_id},
    }
    return Everything(case, there, {name: not_there(name, known) for name, known in there.items()})


def not_there(name: str, known: Arguments) -> Arguments:
    """An address of the same form; only the first thing that it names is not there."""
    first = {"x": "ref"}.get(name) or next(iter(known))
    told = known[first]
    made_up: str | int = 987_654_321 if isinstance(told, int) else "nothing-of-the-kind"
    if isinstance(told, str) and "-" in told and told.rpartition("-")[2].isdigit():
        made_up = f"{told.rpartition('-')[0]}-987654321"
    return {**known, first: made_up}


def make_case_with_all(cast: Cast) -> ExceptionCase:
    """An exception that waits for approval, with a file, a draft, evidence, a version of a person and a message."""
    cause = factories.make_cause("BR-77", f"{MARK} is missing.")
    case = factories.make_case(cast, number=f"{MARK}-1", counterparty=f"{MARK} B.V.", cause=cause)
    work.assign(case.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    file = work.File("order.txt", MARK.encode())
    work.comment(case.pk, by=cast.clerk, at=MORNING, text=f"@conrad, {MARK}.", file=file)
    Draft.objects.create(case=case, author=cast.clerk, base_version=1, typed={"BT-2": MARK}, saved_at=MORNING)
    factories.make_version(case, cast.clerk, because=f"{MARK}.")
    steps = [Step(kind=StepKind.COMMENT, value=f"{MARK}.")]
    save_playbook(cause.pk, steps, seen=0, because=f"{MARK}.", by=cast.clerk, at=MORNING)
    proposal = factories.make_proposal(case, cast.clerk, because=f"{MARK}.")
    Evidence.objects.create(
        proposal=proposal, reference=MARK, file_name="proof.txt", media_type="text/plain", content=MARK.encode(),
        sha256="0" * 64,
    )  # fmt: skip
    case.refresh_from_db()
    return case


def of_case(case: ExceptionCase) -> Arguments:
    return {
        "ref": case.ref,
        "number": 1,
        "occurrence_id": Occurrence.objects.get(case=case).pk,
        "proposal_id": Proposal.objects.get(case=case).pk,
        "attachment_id": Attachment.objects.get(case=case).pk,
    }


def of_lists(cast: Cast) -> dict[str, Arguments]:
    """Views, what somebody is told, who decides for whom, batches, bulk runs and what a target was found to have."""
    save_view(f"{MARK}", "priority=1", by=cast.clerk, at=MORNING, pinned=True)
    delegate(
        person("tilda", "Tilda Taker", role="support"), by=cast.controller, at=now(), first_day=now().date(),
        last_day=now().date(), because=f"{MARK}.",
    )  # fmt: skip
    run = start([factories.make_case(cast, counterparty=MARK)], by=cast.clerk, text=f"{MARK}.")
    batch = propose_batch(
        [one.pk for one in refused_cases(connected(cast, "batched", "scripted", 30), 1)],
        by=cast.clerk, at=MORNING, because=f"{MARK}.",
    )  # fmt: skip
    review = open_review(MARK, scope="role:auditor", due_at=now() + timedelta(days=1), by=cast.administrator, at=now())
    grant(ned := person("ned", "Ned Night"), [Verb.EMERGENCY], cast.einvoicing, cast.netherlands)
    emergency = take_emergency(
        cast.einvoicing, cast.netherlands, role="clerk", minutes=60, by=ned, at=now(), because=f"{MARK}."
    )
    grow.unknown(cast, 0, 1)
    grow.comparisons(cast, 1, 2)
    grow.effects(cast, 2, 3)
    grow.rehearsals(cast, 0, 1)
    archived(cast, 0, 1)
    export = start_export(
        EventFilter(scopes={"NL01/e-invoicing"}), "csv", by=cast.auditor, at=now(), key=UUID(int=1)
    )  # fmt: skip
    return {
        "emergencies": {"ref": emergency.ref},
        "archives/deliveries": {"ref": ArchiveDelivery.objects.get().ref},
        "audit/exports": {"ref": export.ref},
        "audit-exports": {"ref": export.ref},
        "access/reviews": {"ref": review.pk, "number": review.pk, "position": 1},
        "views": {"ref": SavedView.objects.get().pk},
        "approvals/delegations": {"ref": Delegation.objects.get().pk},
        "delegations": {"number": Delegation.objects.get().pk},
        "notifications": {"ref": Notification.objects.filter(person=cast.controller).earliest("pk").pk},
        "bulk": {"ref": run.ref},
        "bulk-runs": {"ref": run.ref},
        "batches": {"ref": batch.ref},
    }


def of_connections(cast: Cast) -> dict[str, Arguments]:
    """The connection itself, and what came in by it or did not."""
    setup = machine(SETUP)
    grant_connection("configure_connection", cast.clerk, cast.connection, by=setup, at=SET_UP_AT)
    sending.plan_maintenance(
        cast.connection.pk, starts_at=now(), ends_at=now().replace(year=now().year + 1), by=cast.clerk, at=now(),
        because=f"{MARK}.",
    )  # fmt: skip
    grow.failures(cast, 0, 1)
    grow.versions(mapped := connected(cast, "mapped", "erp", 40), 0, 1)
    failed = InboxMessage.objects.filter(status=InboxMessage.Status.FAILED).earliest("pk")
    window = MaintenanceWindow.objects.get().pk
    file = FolderProblem.objects.earliest("pk").pk
    field_map: dict[str, str | int] = {
        "slug": mapped.connection.slug,
        "ref": "inbound-invoice",
        "name": "inbound-invoice",
        "number": 1,
    }
    return {
        "connections": {"ref": cast.connection.slug, "slug": cast.connection.slug, "number": window},
        "connections/field-maps": field_map,
        "maintenance": {"ref": window},
        "intake-failures": {"ref": failed.pk, "part": "payload"},
        "intake-failures/files": {"ref": file},
        "intake-failures/gaps": {"ref": SequenceGap.objects.earliest("pk").pk},
        "pull-sources": {"ref": PullSource.objects.earliest("pk").slug},
        "messages": {"number": failed.pk, "part": "payload"},
        "quarantine": {"number": file},
    }


def of_mappings(cast: Cast) -> dict[str, Arguments]:
    """A value mapping with what is proposed for it, and a transaction that was handed over."""
    held = mapping.mapped(cast, mapping.row(MARK))
    proposal = mapping.propose(cast, mapping.row(f"{MARK}-2"))
    [address] = {asked.address for name, asked in grow.transactions(cast, 0, 1).items() if name.endswith("transaction")}
    return {
        "mappings": {"ref": held.ref},
        "value-mappings": {"ref": held.ref},
        "value-mapping-proposals": {"ref": proposal.ref},
        "mapping-proposals": {"ref": proposal.ref},
        "transactions": {"ref": address.rstrip("/").rpartition("/")[2]},
    }
