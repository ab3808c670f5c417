"""The audit trail's page and its export: only the reader's scopes, exactly the filter, and a trace of each export."""

import ast
import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from audit import log
from audit.models import AuditCheckpoint, AuditEvent
from audit.notes import parse_notes
from audit.queries import Cursor
from exceptions_app.actions.audit_export import export_events
from exceptions_app.actions.connections import save_configuration
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Route
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.audit_page import chain_state, read_audit_page, readable_scopes
from exceptions_app.states import TRANSITIONS, Verb
from exceptions_app.views.audit_filter import AuditFilterForm
from exceptions_app.views.audit_words import ACTIONS, in_words
from integrations.models import Connection
from tests import factories
from tests.cast import MORNING, SET_UP_AT, grant
from tests.sealing import seal

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 11, 21)
ALL_TIME = {"since": ""}


@transaction.atomic
def write(summary: str = "Something was done.", *, scope: str = "NL01/e-invoicing", **more: object) -> AuditEvent:
    given = {"action": "case.commented", "subject": "case:EX-1", "actor": "clara", "at": MORNING} | more
    return log.record(scope=scope, summary=summary, **given)  # type: ignore[arg-type]


def summaries(client: Client, **asked: str) -> list[str]:
    response = client.get(reverse("exceptions:audit"), ALL_TIME | asked)
    assert response.status_code == 200
    return [row.entry.summary for row in response.context["rows"]]


def exported(client: Client, kind: str, **asked: str) -> tuple[bytes, dict[str, str]]:
    response = client.get(reverse("exceptions:audit_export"), ALL_TIME | {"format": kind} | asked)
    assert response.status_code == 200
    assert response.streaming
    return response.getvalue(), dict(response.headers)


def csv_rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("who", ["clerk", "controller", "support", "outsider", "administrator"])
def test_audit_without_export_says_what_is_missing(cast, signed_in, who):
    client = signed_in(getattr(cast, who))
    for name in ("audit", "audit_export"):
        response = client.get(reverse(f"exceptions:{name}"), {"format": "csv"})
        assert response.status_code == 403
        assert "Read and export the audit trail" in response.content.decode()
        assert "an administrator of the workbench" in response.content.decode()
    assert not AuditEvent.objects.filter(action="audit.exported").exists()


def test_audit_signed_out_asks_to_sign_in(cast):
    response = Client().get(reverse("exceptions:audit"))
    assert (response.status_code, response.headers["Location"].partition("?")[2]) == (302, "next=%2Faudit%2F")
    assert Client().post(reverse("exceptions:audit")).status_code == 405


def test_audit_shows_only_scopes_of_queue_and_entity(cast, signed_in):
    grant(cast.outsider, [Verb.EXPORT], cast.einvoicing, cast.netherlands)
    for scope in ("NL01/e-invoicing", "DE01/e-invoicing", "NL01/policy-holds", "connection/tax-authority", "", "x/y"):
        write(f"In “{scope}”.", scope=scope, subject="case:EX-77")
    assert readable_scopes(cast.outsider) == {
        "NL01/e-invoicing", "connection/tax-authority", "configuration", "audit",
    }  # fmt: skip
    shown = summaries(signed_in(cast.outsider), about="EX-77")
    assert shown == ["In “connection/tax-authority”.", "In “NL01/e-invoicing”."]


@pytest.mark.parametrize("place", ["einvoicing", "netherlands"])
def test_audit_export_on_queue_or_entity_alone_reads_nothing(cast, signed_in, place):
    grant(cast.outsider, [Verb.EXPORT], getattr(cast, place))
    assert readable_scopes(cast.outsider) == frozenset()
    for name in ("audit", "audit_export"):
        response = signed_in(cast.outsider).get(reverse(f"exceptions:{name}"), {"format": "csv"})
        assert response.status_code == 403
    assert not AuditEvent.objects.filter(action="audit.exported").exists()


def test_audit_of_a_connection_needs_a_route_within_reach(cast):
    bank = Connection(slug="bank", name="Bank", connector="en16931")
    save_configuration(bank, by=machine(SETUP), at=SET_UP_AT)
    save_configuration(
        Route(position=50, connection=bank, queue=cast.einvoicing, entity=cast.germany), by=machine(SETUP), at=SET_UP_AT
    )
    grant(cast.outsider, [Verb.EXPORT], cast.einvoicing, cast.netherlands)
    assert "connection/bank" not in readable_scopes(cast.outsider)
    grant(cast.outsider, [Verb.EXPORT], cast.germany)
    assert "connection/bank" in readable_scopes(cast.outsider)


def test_audit_of_every_connection_is_within_reach_of_a_route_for_all(cast):
    save_configuration(Connection(slug="bank", name="Bank", connector="en16931"), by=machine(SETUP), at=SET_UP_AT)
    route = Route(position=50, connection=None, queue=cast.holds, entity=cast.germany)
    save_configuration(route, by=machine(SETUP), at=SET_UP_AT)
    grant(cast.outsider, [Verb.EXPORT], cast.holds, cast.germany)
    assert readable_scopes(cast.outsider) == {
        "DE01/policy-holds", "connection/bank", "connection/tax-authority", "configuration", "audit",
    }  # fmt: skip


@pytest.mark.parametrize("spelling", ["EX-{}", "ex-{}", "EX{}", "ex {}", "{}", " EX-000{} ", "case:EX-{}"])
def test_audit_finds_exception_in_any_spelling(cast, signed_in, spelling):
    case = factories.make_case(cast)
    factories.make_case(cast)
    factories.claim(case, cast.clerk)
    shown = summaries(signed_in(cast.auditor), about=spelling.format(case.pk))
    assert len(shown) == 2
    assert all(case.ref in summary for summary in shown)


def test_audit_finds_free_subject(cast, signed_in):
    client = signed_in(cast.auditor)
    response = client.get(reverse("exceptions:audit"), ALL_TIME | {"about": "connection:tax-authority"})
    assert {row.entry.subject for row in response.context["rows"]} == {"connection:tax-authority"}


@pytest.mark.parametrize("typed", ["clara", "CLARA", "Clara Clerk", " clara   clerk "])
def test_audit_finds_person_by_name(cast, signed_in, typed):
    write("By Clara.")
    write("By Cem.", actor="cem")
    assert summaries(signed_in(cast.auditor), actor=typed) == ["By Clara."]


def test_audit_filters_by_action_and_by_group(cast, signed_in):
    client = signed_in(cast.auditor)
    write("A comment.")
    write("A pause.", action="connection.paused", subject="connection:x", scope="configuration")
    write("A refusal.", action="message.failed", subject="message:1", scope="connection/tax-authority")
    assert summaries(client, action="case.commented") == ["A comment."]
    assert summaries(client, action="message.") == ["A refusal."]
    assert summaries(client, action="connection.paused") == ["A pause."]


def test_audit_period_includes_both_days(cast, signed_in):
    for day in (1, 2, 3, 4):
        write(f"Day {day}.", at=datetime(2026, 11, day, 23, 59, 59, tzinfo=UTC))
    client = signed_in(cast.auditor)
    assert summaries(client, since="2026-11-02", until="2026-11-03", action="case.") == ["Day 3.", "Day 2."]


def test_audit_filter_begins_thirty_days_ago(cast):
    form = AuditFilterForm({}, today=TODAY, reader=cast.auditor)
    assert form.is_valid()
    assert form.cleaned_data["since"] == TODAY - timedelta(days=30)
    unbounded = AuditFilterForm({"since": ""}, today=TODAY, reader=cast.auditor)
    assert unbounded.is_valid()
    assert unbounded.events({"x"}).since is None


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"since": "31.03.2026"}, "since", "Write it as year-month-day"),
        ({"since": "0001-01-01"}, "since", "Use a day between"),
        ({"until": "9999-12-31"}, "until", "Use a day between"),
        ({"since": "2026-11-03", "until": "2026-11-01"}, "until", "ends before it begins"),
        ({"action": "case.exploded"}, "action", "“case.exploded” is not an event"),
        ({"about": "the Dutch one"}, "about", "such as EX-1001"),
        ({"after": "yesterday"}, "after", "not a place in the log"),
        ({"actor": "x\x00y"}, "actor", "Null characters"),
    ],
)
def test_audit_refuses_filter_that_it_cannot_read(cast, signed_in, asked, field, words):
    write("Must not be shown.")
    response = signed_in(cast.auditor).get(reverse("exceptions:audit"), asked)
    assert response.status_code == 422
    assert words in str(response.context["form"].errors[field])
    assert "rows" not in response.context
    assert "Must not be shown." not in response.content.decode()


def test_audit_refuses_name_of_two_people(cast, signed_in):
    cast.second_clerk.first_name = "Clara"
    cast.second_clerk.save(update_fields=["first_name"])
    response = signed_in(cast.auditor).get(reverse("exceptions:audit"), {"actor": "Clara Clerk"})
    assert response.status_code == 422
    assert "Write the user name" in str(response.context["form"].errors["actor"])


def test_audit_pages_by_key_without_loss(cast, signed_in):
    with transaction.atomic():
        for number in range(120):
            write(f"Number {number}.")
    client, found, query = signed_in(cast.auditor), [], "?since=&action=case.commented"
    while query:
        response = client.get(reverse("exceptions:audit") + query)
        found += [row.entry.summary for row in response.context["rows"]]
        query = response.context["next_url"]
        write("A later one shifts nothing.", action="case.reopened")
    assert found == [f"Number {number}." for number in reversed(range(120))]
    assert response.context["newest_url"] == "?since=&action=case.commented"


@pytest.mark.django_db(transaction=True)
def test_audit_event_shows_words_reason_data_and_seal(cast, signed_in):
    case = factories.make_case(cast)
    seal(limit=1000, at=MORNING)
    write(
        "Clara put it on hold.", action="case.put_on_hold", subject=case.subject, at=MORNING + timedelta(hours=1),
        because="Waits for <the> supplier.", data={"was": "new", "note": "<b>bold</b>"},
    )  # fmt: skip
    response = signed_in(cast.auditor).get(reverse("exceptions:audit"), ALL_TIME | {"about": case.ref})
    held, opened = response.context["rows"]
    size = AuditCheckpoint.objects.get().size
    assert (held.words, held.actor, held.case_ref) == ("Put on hold", "Clara Clerk", case.ref)
    assert (held.entry.sequence, held.checkpoint) == (None, None)
    assert (opened.words, opened.actor, opened.checkpoint) == ("Opened", "Intake", size)
    page = response.content.decode()
    assert "Waits for &lt;the&gt; supplier." in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>bold</b>" not in page
    assert f'href="{reverse("exceptions:case", args=[case.ref])}"' in page
    assert "not yet" in page


@pytest.mark.django_db(transaction=True)
def test_chain_state_names_checkpoint_and_backlog(cast):
    before = chain_state()
    assert (before.sealed, before.checkpoint, before.root) == (0, None, "")
    assert before.waiting == AuditEvent.objects.count()
    seal(limit=3, at=MORNING)
    after = chain_state()
    assert (after.sealed, after.waiting) == (3, before.waiting - 3)
    assert after.root == bytes(AuditCheckpoint.objects.get().root).hex()


def test_audit_fragment_is_part_of_page(cast, signed_in):
    client = signed_in(cast.auditor)
    fragment = client.get(reverse("exceptions:audit"), ALL_TIME, headers={"HX-Request": "true"})
    assert fragment.content.decode().lstrip().startswith('<div id="audit-events"')
    assert "<html" not in fragment.content.decode()
    assert "HX-Request" in fragment.headers["Vary"]
    assert 'id="audit-events"' in client.get(reverse("exceptions:audit")).content.decode()


def test_audit_without_events_says_so(cast, signed_in):
    page = signed_in(cast.auditor).get(reverse("exceptions:audit"), {"since": "2020-01-01", "until": "2020-01-02"})
    assert "No events match" in page.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("events", [1, 3])
def test_audit_page_costs_the_same_for_any_number_of_events(cast, django_assert_num_queries, events):
    for number in range(events):
        write(f"Number {number}.", actor=("clara", "cem", "anna")[number % 3], action="case.reopened")
    seal(limit=1000, at=MORNING)
    form = AuditFilterForm(ALL_TIME | {"action": "case.reopened"}, today=TODAY, reader=cast.auditor)
    assert form.is_valid()
    with django_assert_num_queries(3):
        scopes = readable_scopes(cast.auditor)
    with django_assert_num_queries(4):
        page = read_audit_page(form.events(scopes))
    with django_assert_num_queries(2):
        chain_state()
    assert len(page.entries) == events


def test_audit_view_costs_the_same_at_one_and_three_events(cast, signed_in, django_assert_max_num_queries):
    client = signed_in(cast.auditor)
    counts = []
    for number in range(3):
        write(f"Number {number}.", action="case.reopened")
        client.get(reverse("exceptions:audit"))  # content types are read once for each process
        with django_assert_max_num_queries(30) as captured:
            assert len(summaries(client, action="case.reopened")) == number + 1
        counts.append(len(captured))
    assert counts[0] == counts[2]


def test_export_holds_exactly_the_filter(cast, signed_in):
    client = signed_in(cast.auditor)
    write("Wanted.", at=MORNING)
    write("Another action.", action="case.reopened", at=MORNING)
    write("Another scope.", scope="FR01/elsewhere", at=MORNING)
    write("Too early.", at=MORNING - timedelta(days=3))
    content, headers = exported(client, "csv", since="2026-11-01", until="2026-11-02", action="case.commented")
    assert [row["summary"] for row in csv_rows(content)] == ["Wanted."]
    assert headers["Content-Disposition"] == 'attachment; filename="audit-2026-11-01-to-2026-11-02.csv"'
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["X-Audit-Events"] == "1"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in headers["Cache-Control"]
    assert "X-Audit-Checkpoint" not in headers


@pytest.mark.django_db(transaction=True)
def test_export_carries_latest_checkpoint(cast, signed_in):
    seal(limit=1000, at=MORNING)
    note = AuditCheckpoint.objects.get().signed_note
    content, headers = exported(signed_in(cast.auditor), "jsonl", about="queue:e-invoicing")
    lines = [json.loads(line) for line in content.splitlines()]
    assert headers["X-Audit-Checkpoint"] == note.header
    assert lines[0]["filters"]["subjects"] == ["queue:e-invoicing"]
    assert lines[-1]["events"] == len(lines) - 2 == int(headers["X-Audit-Events"]) > 0
    assert [str(found) for found in parse_notes(lines[-1]["note"])] == [str(note)]


def test_export_is_an_event_itself(cast, signed_in):
    write("Exported.", action="case.reopened")
    exported(signed_in(cast.auditor), "jsonl", action="case.reopened")
    event = AuditEvent.objects.get(action="audit.exported")
    assert (event.actor, event.subject, event.scope) == ("anna", "audit:log", "audit")
    assert (event.data["format"], event.data["rows"]) == ("jsonl", 1)
    assert event.data["filter"]["action"] == "case.reopened"
    assert event.summary in summaries(signed_in(cast.auditor))


def test_export_guards_formulas_and_keeps_negative_numbers(cast, signed_in):
    write('=HYPERLINK("http://evil.example","x")', because="@SUM(1)", data={"amount": "-12.50"}, actor="+cmd")
    content, _ = exported(signed_in(cast.auditor), "csv", action="case.commented")
    (row,) = csv_rows(content)
    assert row["summary"] == '\'=HYPERLINK("http://evil.example","x")'
    assert (row["because"], row["actor"]) == ("'@SUM(1)", "'+cmd")
    assert json.loads(row["data"]) == {"amount": "-12.50"}


def test_export_refuses_unknown_format_and_bad_filter(cast, signed_in):
    client = signed_in(cast.auditor)
    for asked, words in (
        ({"format": "xlsx"}, "“xlsx” is not a format. Use csv, jsonl or evidence."),
        ({}, "Say which format: csv, jsonl or evidence."),
        ({"format": "csv", "until": "soon"}, "Write it as year-month-day"),
    ):
        response = client.get(reverse("exceptions:audit_export"), asked)
        assert response.status_code == 422
        assert words in response.content.decode()
    assert client.post(reverse("exceptions:audit_export")).status_code == 405
    assert not AuditEvent.objects.filter(action="audit.exported").exists()


def test_export_action_holds_even_when_a_caller_asks_for_all_scopes(cast):
    write("Of another queue.", scope="FR01/elsewhere")
    form = AuditFilterForm(ALL_TIME, today=TODAY, reader=cast.auditor)
    assert form.is_valid()
    everything = form.events(None)  # type: ignore[arg-type]
    with pytest.raises(NotPermitted):
        export_events(everything, "csv", by=cast.clerk, at=MORNING + timedelta(days=1))
    given = export_events(everything, "csv", by=cast.auditor, at=MORNING + timedelta(days=1))
    rows = csv_rows(b"".join(given.chunks))
    assert len(rows) == given.rows > 0
    assert "Of another queue." not in {row["summary"] for row in rows}


def test_cursor_of_next_page_is_readable(cast):
    with transaction.atomic():
        for number in range(3):
            write(f"Number {number}.", action="case.reopened")
    form = AuditFilterForm(ALL_TIME | {"action": "case.reopened"}, today=TODAY, reader=cast.auditor)
    assert form.is_valid()
    page = read_audit_page(form.events(readable_scopes(cast.auditor)), size=2)
    assert Cursor.parse(str(page.next)) == page.next


def _recorded_names() -> set[str]:
    """Every event name that the product writes, as it stands in the source."""
    names = {transition.past for transition in TRANSITIONS.values()}
    for room in ("audit", "exceptions_app", "integrations", "workbench"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if called in ("record", "_record", "_save"):
                        names |= {str(word.value) for word in node.args if isinstance(word, ast.Constant)}
    return {name for name in names if log.ACTION.fullmatch(name)}


def test_every_recorded_event_has_words():
    known = {name for group in ACTIONS.values() for name in group}
    assert _recorded_names() - known == set()


def test_event_without_words_is_read_out():
    assert in_words("queue.was_renamed") == "Queue was renamed"
