"""What makes each list longer, row by row, and where its rows are seen: on pages and in the API."""

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions import sending, work
from exceptions_app.actions.batch_propose import propose_batch
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.field_maps import save_version
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.mover import lock, move
from exceptions_app.actions.saved_views import save_view
from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Decision, ExceptionCase, LegalEntity, Occurrence, Proposal, Queue, Route
from exceptions_app.states import Action
from integrations.demo.field_maps import maps_of_the_deal
from integrations.models import Connection, FieldMap, InboxMessage
from integrations.value_kinds import ValueKind
from tests import factories
from tests.arrivals import configure
from tests.cast import MORNING, SET_UP_AT, Cast
from tests.exceptions_app.api.test_comparisons import compared, found
from tests.exceptions_app.bulk_runs.runs import start
from tests.exceptions_app.handover.handing_over import document, hand_in, read_all
from tests.exceptions_app.replay_batches.target import refused_cases
from tests.exceptions_app.value_mappings import mapping
from tests.exceptions_app.views.growing import Asked, Grow, api
from tests.exceptions_app.views.growing_access import (
    approval_rules,
    delegations,
    emergencies,
    exported_and_cancelled,
    field_rules,
    granted_and_reviewed,
    retention,
    routing_rules,
)
from tests.exceptions_app.views.growing_kept import archived, exchange_rates, playbooks
from tests.exceptions_app.views.test_connections import deliver
from tests.exceptions_app.views.test_effects import sent
from tests.exceptions_app.views.test_pull_sources import make_source, missing
from tests.exceptions_app.views.test_quarantine import quarantined
from tests.rehearsals import make_rehearsal

ALL_TIME = "since=2026-01-01&until=2027-12-31"
FIRST = "INV-2026-0042"


def cases(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        cause = factories.make_cause(f"BR-{number}", f"Cause {number}.")
        case = factories.make_case(cast, number=f"INV-{number:04}", cause=cause, counterparty=f"Roussel {number}")
        factories.claim(case, (cast.clerk, cast.second_clerk)[number % 2] if number else cast.clerk)
    return {
        "exceptions:queue": Asked("clerk", "/queue/"),
        "exceptions:my_queue": Asked("clerk", "/", most=25),
        "exceptions:search": Asked("clerk", "/search/?q=roussel", tag='class="result"'),
        "exceptions:batch_new": Asked("clerk", "/batches/new/", most=0),
        "/api/v1/exceptions": api("clerk", "exceptions"),
        "/api/v1/search": Asked("clerk", "/api/v1/search?q=roussel"),
    }


def proposals(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        case = factories.make_case(cast, cause=factories.make_cause(f"BR-{number}", f"Cause {number}."))
        by = (cast.clerk, cast.second_clerk)[number % 2]
        factories.make_version(case, by)
        factories.make_proposal(case, by)
    return {
        "exceptions:approvals": Asked("controller", "/approvals/"),
        "/api/v1/proposals": api("controller", "proposals"),
    }


def unknown(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        case = factories.make_case(cast)
        factories.make_version(case, cast.clerk)
        with transaction.atomic():
            proposal = factories.make_proposal(case, cast.clerk)
            Decision.objects.create(
                proposal=proposal, verdict=Decision.Verdict.APPROVED, decider=cast.controller, decided_at=MORNING,
                frozen_sha256=proposal.frozen_sha256,
            )  # fmt: skip
            approved = move(lock(case.pk), Action.APPROVE, by=cast.controller, at=MORNING, summary="Approved.")
            move(approved, Action.SEND_LOST_SIGHT, by=machine(SETUP), at=MORNING, summary="No answer.")
            Proposal.objects.filter(pk=proposal.pk).update(state=Proposal.State.APPROVED, closed_at=MORNING)
            deliver(cast, case.subject, key=f"INV-{number}", state="unknown", sends=1, last_sent_at=MORNING)
    return {"exceptions:unknown": Asked("clerk", "/unknown/")}


def batches(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for case in refused_cases(cast, rows - begun, first=begun + 1):
        propose_batch([case.pk], by=cast.clerk, at=MORNING, because="It is back.")
    return {
        "exceptions:batches": Asked("clerk", "/batches/"),
        "/api/v1/batches": api("clerk", "batches"),
        "exceptions:approvals": Asked("controller", "/approvals/"),
    }


def items(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    """A batch of its own for each size: what is frozen does not grow."""
    frozen = refused_cases(cast, rows, first=1000 * rows)
    batch = propose_batch([case.pk for case in frozen], by=cast.clerk, at=MORNING, because="It is back.")
    return {
        "exceptions:batch": Asked("controller", reverse("exceptions:batch", args=[batch.ref])),
        "/api/v1/batches/{ref}/items": api("controller", f"batches/{batch.ref}/items"),
    }


def bulk_runs(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        start([factories.make_case(cast)], by=cast.clerk, text=f"Comment {number}.")
    return {"exceptions:bulk_runs": Asked("clerk", "/bulk/"), "/api/v1/bulk-runs": api("clerk", "bulk-runs")}


def bulk_items(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    """A run of its own for each size, as of batches."""
    run = start([factories.make_case(cast) for _ in range(rows)], by=cast.clerk)
    return {
        "exceptions:bulk_run": Asked("clerk", reverse("exceptions:bulk_run", args=[run.ref])),
        "/api/v1/bulk-runs/{ref}/items": api("clerk", f"bulk-runs/{run.ref}/items"),
    }


def transactions(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    connection = configure(cast.connection, connector="erp")
    handed = hand_in(connection, *(document(f"deal-{number}", ordering_key="deals") for number in range(begun, rows)))
    read_all()
    last = reverse("exceptions:transaction", args=[handed[-1].ref])
    return {
        "exceptions:transactions": Asked("clerk", "/transactions/"),
        "exceptions:transaction": Asked("clerk", last, most=0),
        "/api/v1/transactions": api("clerk", "transactions"),
    }


def history(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    """Comments, versions and arrivals of one exception, with their events."""
    case = ExceptionCase.objects.filter(document_number=FIRST).first() or factories.make_case(cast, number=FIRST)
    for number in range(begun, rows):
        work.comment(case.pk, by=(cast.clerk, cast.second_clerk)[number % 2], at=MORNING, text=f"Comment {number}.")
        factories.make_version(case, cast.clerk)
        message = factories.make_message(cast)
        Occurrence.objects.create(
            case=case, inbox_message=message, arrived_at=MORNING, payload_sha256=message.content_sha256,
            definitive=True, errors=[factories.error()],
        )  # fmt: skip
    page = reverse("exceptions:case", args=[case.ref])
    return {
        "exceptions:case": Asked("clerk", page, most=0),
        "exceptions:case_print": Asked("clerk", f"{page}print/", most=0),
        "exceptions:case, versions": Asked("clerk", f"{page}?tab=versions", tag='class="stack stack--tight"'),
        "exceptions:case, arrivals": Asked("clerk", f"{page}?tab=arrivals", most=0),
        "/api/v1/exceptions/{ref}/events": api("clerk", f"exceptions/{case.ref}/events"),
    }


def saved_views(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        save_view(f"View {number}", f"priority={number % 4 + 1}", by=cast.clerk, at=MORNING)
    return {"exceptions:views": Asked("clerk", "/views/"), "/api/v1/views": Asked("clerk", "/api/v1/views")}


def notifications(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        case = factories.make_case(cast)
        by = (cast.clerk, cast.controller)[number % 2]
        work.comment(case.pk, by=by, at=MORNING, text=f"@{cast.second_clerk.username} look at this.")
    return {"exceptions:notifications": Asked("second_clerk", "/notifications/", tag='class="result"')}


def causes(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    """One for each of so many errors; and of the last of them so many exceptions."""
    for number in range(begun, rows):
        cause = factories.make_cause(f"BR-{number}", f"Cause {number}.")
        factories.make_case(cast, cause=cause, opened_at=now() - timedelta(hours=1))
        factories.make_case(cast, opened_at=now() - timedelta(hours=1))
    page = reverse("exceptions:cause", args=[factories.make_cause().ref])
    return {
        "exceptions:causes": Asked("clerk", "/causes/"),
        "exceptions:cause": Asked("clerk", page, most=0),
        "/api/v1/causes": api("clerk", "causes"),
    }


def effects(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        sent(cast, f"INV-{number}")
    return {
        "exceptions:effects": Asked("controller", "/effects/?since=2026-11-01&until=2026-11-30"),
        "/api/v1/effects": api("controller", "effects", "&since=2026-11-01T00:00Z&until=2026-11-30T00:00Z"),
    }


def accesses(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    review = [granted_and_reviewed(cast, number) for number in range(begun, rows)][-1]
    return {
        "exceptions:access_reviews": Asked("administrator", "/access/reviews/"),
        "exceptions:access_review": Asked("administrator", f"/access/reviews/{review.pk}/"),
        "exceptions:access": Asked("administrator", "/access/"),
        "/api/v1/access": api("administrator", "access"),
        "/api/v1/access/reviews": api("administrator", "access/reviews"),
        "/api/v1/access/reviews/{number}/items": api("administrator", f"access/reviews/{review.pk}/items"),
    }


def comparisons(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        found(factories.make_case(cast, number=f"INV-{number}"), compared(cast.connection))
    return {
        "/api/v1/effects/comparisons": api("controller", "effects/comparisons"),
        "/api/v1/effects/findings": api("controller", "effects/findings"),
    }


def audit(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        case = factories.make_case(cast)
        work.comment(case.pk, by=(cast.clerk, cast.second_clerk)[number % 2], at=MORNING, text="Looked at.")
    assert AuditEvent.objects.filter(action="case.commented").count() == rows
    return {"exceptions:audit": Asked("auditor", f"/audit/?{ALL_TIME}&action=case.commented")}


def audit_exports(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        exported_and_cancelled(cast, number)
    page = Asked("auditor", "/audit/exports/")
    return {"exceptions:audit_exports": page, "/api/v1/audit-exports": api("auditor", "audit-exports")}


def failures(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    source = make_source(cast, f"source-{begun}")
    for number in range(begun, rows):
        factories.make_message(cast, status=InboxMessage.Status.FAILED, problem="Cannot be read.")
        quarantined(cast, f"{number}.xml")
        missing(source if number % 2 else make_source(cast, f"other-{number}"))
    return {
        "exceptions:intake_failures": Asked("clerk", "/intake-failures/"),
        "exceptions:connection": Asked("clerk", f"/connections/{cast.connection.slug}/", most=0),
        "exceptions:pull_source": Asked("clerk", f"/pull-sources/source-{begun}/", most=0),
        "/api/v1/messages": api("clerk", "messages"),
        "/api/v1/quarantine": api("clerk", "quarantine"),
    }


def connections(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        queue = Queue(slug=f"q-{number}", name=f"Queue {number}", purpose="For this test.")
        more = Connection(slug=f"c-{number}", name=f"Connection {number}", connector="en16931")
        for item in (queue, more):
            save_configuration(item, by=machine(SETUP), at=SET_UP_AT)
        route = Route(position=number + 2, connection=more, queue=cast.einvoicing, entity=cast.netherlands)
        save_configuration(route, by=machine(SETUP), at=SET_UP_AT)
        with transaction.atomic():
            deliver(cast, factories.make_case(cast).subject, key=f"INV-{number}")
    assert LegalEntity.objects.count() == 2
    return {
        "exceptions:connections": Asked("clerk", "/connections/", tag='class="panel'),
        "exceptions:connection": Asked("clerk", f"/connections/{cast.connection.slug}/", most=20),
        "/api/v1/connections": api("clerk", "connections"),
        "/api/v1/connections/{slug}/deliveries": Asked(
            "clerk", f"/api/v1/connections/{cast.connection.slug}/deliveries", most=20
        ),
    }


def windows(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    if not begun:
        grant_connection("configure_connection", cast.clerk, cast.connection, by=machine(SETUP), at=SET_UP_AT)
    for number in range(begun, rows):
        starts_at = now() + timedelta(days=number + 1)
        sending.plan_maintenance(
            cast.connection.pk, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), by=cast.clerk, at=now(),
            because="They move.",
        )  # fmt: skip
    page = reverse("exceptions:connection_sending", args=[cast.connection.slug])
    return {
        "exceptions:connection_sending": Asked("clerk", page, most=20),
        "/api/v1/connections/{slug}/maintenance-windows": Asked(
            "clerk", f"/api/v1/connections/{cast.connection.slug}/maintenance-windows", most=20
        ),
    }


def versions(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    """Of one field map; the first two are those of the demonstration."""
    if not begun:
        configure(cast.connection, connector="erp")
        grant_connection("configure_connection", cast.clerk, cast.connection, by=machine(SETUP), at=SET_UP_AT)
        seed_field_maps(cast.connection, by=machine(SETUP), at=MORNING)
    inbound, _ = maps_of_the_deal()
    for number in range(begun, rows):
        save_version(
            cast.connection.pk, direction="inbound", object_type="invoice", note="More.", by=cast.clerk, at=MORNING,
            declared=inbound.declared.replace('"EUR"', f'"E{number:02}"'),
        )  # fmt: skip
    assert FieldMap.objects.filter(connection=cast.connection, direction="inbound").count() == rows + 1
    where = {"slug": cast.connection.slug}
    maps, one = reverse("exceptions:field_maps", kwargs=where), where | {"ref": "inbound-invoice"}
    return {
        "exceptions:field_maps": Asked("clerk", maps, most=0),
        "exceptions:field_map": Asked("clerk", reverse("exceptions:field_map", kwargs=one), most=0),
        "exceptions:field_map_compare": Asked("clerk", reverse("exceptions:field_map_compare", kwargs=one), most=0),
        "/api/v1/connections/{slug}/field-maps": Asked(
            "clerk", f"/api/v1/connections/{cast.connection.slug}/field-maps", most=0
        ),
        "/api/v1/connections/{slug}/field-maps/{name}/versions": api(
            "clerk", f"connections/{cast.connection.slug}/field-maps/inbound-invoice/versions"
        ),
    }


def mappings(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    """One mapping for each kind and connection, so that each is another one."""
    kinds = list(ValueKind)
    for number in range(begun, rows):
        to = cast.connection
        if number >= len(kinds):
            to = Connection(slug=f"c-{number}", name=f"Connection {number}", connector="erp")
            save_configuration(to, by=machine(SETUP), at=SET_UP_AT)
            route = Route(position=number + 2, connection=to, queue=cast.einvoicing, entity=cast.netherlands)
            save_configuration(route, by=machine(SETUP), at=SET_UP_AT)
        mapping.propose(cast, kind=kinds[number % len(kinds)].value, connection=to)
    return {
        "exceptions:value_mappings": Asked("controller", "/mappings/"),
        "exceptions:approvals": Asked("controller", "/approvals/"),
        "/api/v1/value-mappings": api("controller", "value-mappings"),
        "/api/v1/value-mapping-proposals": api("controller", "value-mapping-proposals"),
    }


def rows_of_a_mapping(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    """What holds, and a proposal with as many rows."""
    held = mapping.mapped(cast, *(mapping.row(f"G{number}") for number in range(begun, rows)))
    proposal = mapping.propose(cast, *(mapping.row(f"F{number}") for number in range(rows)))
    return {
        "exceptions:value_mapping": Asked("controller", reverse("exceptions:value_mapping", args=[held.ref])),
        "exceptions:mapping_mends": Asked("clerk", reverse("exceptions:mapping_mends", args=[held.ref]), most=0),
        "exceptions:mapping_proposal": Asked("controller", reverse("exceptions:mapping_proposal", args=[proposal.ref])),
        "/api/v1/value-mappings/{ref}/entries": api("controller", f"value-mappings/{held.ref}/entries"),
        "/api/v1/value-mappings/{ref}/proposals": api("controller", f"value-mappings/{held.ref}/proposals", most=2),
        "/api/v1/value-mapping-proposals/{ref}/rows": api("controller", f"value-mapping-proposals/{proposal.ref}/rows"),
    }


def rehearsals(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        make_rehearsal(at=MORNING + timedelta(hours=number))
    return {
        "exceptions:rehearsals": Asked("controller", "/rehearsals/", most=0),
        "/api/v1/rehearsals": api("controller", "rehearsals"),
    }


GROWING: tuple[Grow, ...] = (
    cases,
    proposals,
    unknown,
    batches,
    items,
    bulk_runs,
    bulk_items,
    transactions,
    history,
    saved_views,
    notifications,
    causes,
    effects,
    emergencies,
    exchange_rates,
    playbooks,
    comparisons,
    accesses,
    approval_rules,
    archived,
    audit,
    audit_exports,
    delegations,
    field_rules,
    routing_rules,
    retention,
    failures,
    connections,
    windows,
    versions,
    mappings,
    rows_of_a_mapping,
    rehearsals,
)
