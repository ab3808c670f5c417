"""Every table of the database, and each of its columns, tried by plain SQL with the role that serves.

`test_database_refusals` names what somebody might want to do; this leaves nothing out. Whoever adds a table or a column
has to guard it, or to say here why it may change without an event.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from psycopg import sql
from pytest_django import DjangoDbBlocker

from tests.cast import Cast
from tests.exceptions_app.everything import make_everything, scripted
from tests.exceptions_app.test_database_refusals import application, play

__all__ = ["application"]
pytestmark = pytest.mark.django_db
Application = psycopg.Connection[Any]

# Tables of which no row is evidence and none decides anything; what may be done with them is left to the application.
WORKING = {
    "account_emailaddress": "of a library; nothing is kept there",
    "account_emailconfirmation": "of a library; nothing is kept there",
    "audit_backlog": "what waits to be sealed; verification finds what was taken from it",
    "django_admin_log": "the administration's own list; the audit trail has the events",
    "django_session": "not used; sessions are in workbench_session",
    "exceptions_app_apirequest": "answers that are given again to a repeated request",
    "exceptions_app_draft": "typed and not saved",
    "exceptions_app_identifier": "what search finds, worked out from the documents",
    "exceptions_app_pick": "ticks of a list",
    "exceptions_app_presence": "who looks at a page",
    "guardian_groupobjectpermission": "of a library; grants have tables of their own",
    "guardian_userobjectpermission": "of a library; grants have tables of their own",
    "integrations_folderproblem": "files that could not be read; what is done about one is an event",
    "integrations_gate": "how fast a target is sent to",
    "integrations_intakerate": "how much came in, by the minute",
    "socialaccount_socialapp": "of a library; the provider is read from the environment alone",
    "socialaccount_socialtoken": "of a library; nothing is kept there",
    "workbench_session": "who is signed in; its content is signed with a key that the database does not have",
    "workbench_user_user_permissions": "Django's own permissions, which decide nothing",
}
# Guarded tables without a row here: of these the guards are looked up, and not tried.
NOT_PLAYED = frozenset(
    {
        "exceptions_app_approvalrule",
        "exceptions_app_approvalruledecision",
        "exceptions_app_batchdecision",
        "exceptions_app_batchlook",
        "exceptions_app_bulkoutcome",
        "exceptions_app_causejoin",
        "exceptions_app_causenote",
        "exceptions_app_causeowner",
        "exceptions_app_erasuredecision",
        "exceptions_app_erasurerequest",
        "exceptions_app_exchangerate",
        "exceptions_app_expectation",
        "exceptions_app_fieldrule",
        "exceptions_app_fieldruledecision",
        "exceptions_app_firstapproval",
        "exceptions_app_legalhold",
        "exceptions_app_mappingmend",
        "exceptions_app_mendoutcome",
        "exceptions_app_playbookdecision",
        "exceptions_app_playbookuse",
        "exceptions_app_predecessor",
        "exceptions_app_refusedminute",
        "exceptions_app_retentiondecision",
        "exceptions_app_retentionpolicy",
        "exceptions_app_purgerun",
        "exceptions_app_reveal",
        "exceptions_app_routingrule",
        "exceptions_app_routingruledecision",
        "exceptions_app_suggestion",
        "exceptions_app_transactioncontent",
        "exceptions_app_unmappedvalue",
        "integrations_connectiongroupgrant",
        "integrations_deliverystatement",
        "integrations_restoration",
        "integrations_retrypolicy",
        "integrations_sendingstop",
        "mfa_authenticator",
        "socialaccount_socialaccount",
        "workbench_apitoken",
        "workbench_serviceaccount",
    }
)
# What changes without an event although the table is guarded, column by column.
WITHOUT_AN_EVENT: dict[str, set[str]] = {
    # how far the delivery is; what lies in the archive stays as it is
    "exceptions_app_archivedelivery": {
        "archive_id",
        "asked_at",
        "attempts",
        "changed_at",
        "delivered_at",
        "failures",
        "file_name",
        "next_at",
        "problem",
        "sha256",
        "size",
        "told_at",
    },
    # how far the file is; what is ready stays as it is
    "exceptions_app_auditexport": {
        "after_at",
        "after_id",
        "changed_at",
        "failures",
        "finished_at",
        "parts",
        "problem",
        "rows",
        "sha256",
        "size",
        "checkpoint",
        "expires_at",
    },
    # how far the sending of an item is; its end is an event of its exception
    "exceptions_app_batchprogress": {"by_batch", "code", "delivery_id", "detail", "ended_at", "started_at"},
    # reckoned anew by night from what is known
    "exceptions_app_exceptioncase": {"score", "score_reasons", "scored_on"},
    # read or not, by the person who was told
    "exceptions_app_notification": {"read_at"},
    # the order of a person's own list
    "exceptions_app_pinnedview": {"position"},
    # a person's own, unless it is shared
    "exceptions_app_savedview": {"changed_at", "name", "query"},
    # when a person said last what they want to be told
    "exceptions_app_subscription": {"changed_at"},
    # the engine's own columns; attempts and answers are tables of their own, never changed
    "integrations_delivery": {
        "claims",
        "detail",
        "due_at",
        "epoch",
        "failing_since",
        "failures",
        "finished_at",
        "given_up_at",
        "last_sent_at",
        "lease_until",
        "probe_first",
        "reference",
        "sends",
        "waiting_for",
        "waits_until",
    },
    # how far it is read
    "integrations_inboxmessage": {
        "claimed_until",
        "claims",
        "problem",
        "problem_field",
        "processed_at",
        "remedy",
        "repeats",
        "waits_its_turn",
    },
    # how far it was looked for what was closed
    "integrations_archive": {"looked_until"},
    # how far it is fetched
    "integrations_pullsource": {"cursor", "failures", "last_ok_at", "last_problem", "next_due_at"},
    # how often it was asked for, and what is still missing
    "integrations_sequencegap": {"asked_at", "asks", "missing"},
    # when they came last, which signing in tells by an event of its own, and in which times they read
    "workbench_user": {"last_login", "time_zone"},
}
# Tables that ask for no event at all: some columns are frozen, and no row goes.
FROZEN = {
    "exceptions_app_expectation",
    "exceptions_app_notification",
    "exceptions_app_pinnedview",
    "exceptions_app_subscription",
    "integrations_delivery",
    "integrations_inboxmessage",
}
# A person's own list, which is no evidence of anything.
DELETED_WITHOUT_AN_EVENT = {"exceptions_app_pinnedview"}
# Where the guard looks at some columns only, and this one takes certain values alone: a value that it takes is tried by
# name in `test_database_refusals` and in the tests of the rooms.
TAKES_CERTAIN_VALUES = {
    "exceptions_app_archivedelivery": {"lease_until"},
    "exceptions_app_batchprogress": {"state"},
    "exceptions_app_exceptioncase": {
        "closed_at", "outcome", "snoozed_by_id", "snoozed_for", "snoozed_until", "state", "statutory_clock",
    },
    "exceptions_app_savedview": {"queue_id", "sharing"},
    "exceptions_app_subscription": {"wants"},
    "integrations_delivery": {"state"},
    "integrations_inboxmessage": {"status"},
}  # fmt: skip

COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attgenerated <> '' OR a.attidentity = 'a', (
        SELECT f.confrelid::regclass::text FROM pg_constraint f
        WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
    ), (
        SELECT k.attname FROM pg_index i JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid AND i.indisprimary
    )
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY 1, a.attnum
"""
GUARDS = """
    SELECT c.relname, t.tgname, t.tgenabled, p.prosecdef, coalesce(p.proconfig::text, ''),
        t.tgtype & 16 > 0 AND t.tgqual IS NULL
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal
"""
OTHER_VALUE = {
    "character varying[]": "array_append({c}, 'x')",
    "boolean": "NOT coalesce({c}, false)",
    "bytea": "coalesce({c}, ''::bytea) || 'x'::bytea",
    "date": "coalesce({c}, current_date) + 1",
    "jsonb": """jsonb_build_array({c}, 'x')""",
    "timestamp with time zone": "coalesce({c}, now()) + interval '1 second'",
    "uuid": "gen_random_uuid()",
    "xid8": "pg_current_xact_id()",
}
NUMBERS = ("integer", "bigint", "smallint", "numeric", "double precision")
TOLD = ("append_only", "audit_required")
OUR_WORDS = (" refused: ", "permission denied", " stays so", "cannot become", "four eyes", "never changed")


@pytest.fixture(scope="module")
def scene(new_cast: Callable[[], Cast], django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A row of nearly every table, committed once: nothing that is tried here may change it."""
    with django_db_blocker.unblock(), scripted():
        try:
            cast = new_cast()
            play(cast)
            with transaction.atomic():
                make_everything(cast)
            yield
        finally:
            call_command("flush", interactive=False, verbosity=0, reset_sequences=False)
            database.close()


def guards(application: Application, *, of_every_change: bool = False) -> dict[str, set[str]]:
    """The names of the guards of each table, without what pgtrigger adds; or of those that look at every update."""
    found: dict[str, set[str]] = defaultdict(set)
    for table, name, *_, of_every_update in application.execute(GUARDS):
        if of_every_update or not of_every_change:
            found[table].add(name.removeprefix("pgtrigger_").rpartition("_")[0] or name)
    return found


def guarded(application: Application) -> set[str]:
    tables = {table for table, *_ in application.execute(COLUMNS)}
    return tables - set(WORKING) - writes_denied(application)


def writes_denied(application: Application) -> set[str]:
    """Tables whose rows the role that serves may not change at all."""
    asked = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND NOT ("
    asked += "has_table_privilege(oid, 'UPDATE') OR has_any_column_privilege(oid, 'UPDATE'))"
    return {name for (name,) in application.execute(asked)}


def test_every_table_is_guarded_or_said_to_need_no_guard(application: Application):
    found, tables = guards(application), guarded(application)
    told = {table for table in tables if any(name.startswith(TOLD) for name in found[table])}
    assert tables - told == FROZEN
    assert [table for table in FROZEN if "frozen_columns" not in found[table]] == []
    assert [table for table in WORKING if found[table] & set(TOLD)] == []


def test_guards_are_on_and_nobody_can_stand_in_for_what_they_read(application: Application):
    rows = list(application.execute(GUARDS))
    assert len(rows) > 150
    assert [row for row in rows if row[2] not in ("O", "A") or row[3] or "pg_temp" not in row[4]] == []


def test_the_role_that_serves_has_rows_and_nothing_more(application: Application):
    asked = """
        SELECT relname, p FROM pg_class, unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) p
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND has_table_privilege(oid, p)
        UNION ALL SELECT relname, 'owner' FROM pg_class WHERE relowner = current_user::regrole
        UNION ALL SELECT 'public', 'CREATE' WHERE has_schema_privilege('public', 'CREATE')
        UNION ALL SELECT rolname, 'powers' FROM pg_roles WHERE rolname = current_user
            AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
    """
    assert application.execute(asked).fetchall() == []


def test_each_column_of_each_guarded_table_changes_with_an_event_or_not_at_all(scene: None, application: Application):
    accepted: dict[str, set[str]] = defaultdict(set)
    checked: dict[str, set[str]] = defaultdict(set)
    tables = guarded(application)
    empty = {table for table in tables if not rows_in(application, table)}
    # Where an event is asked for whatever changes, it does not matter which check refused this value.
    found = guards(application, of_every_change=True)
    with application.transaction(force_rollback=True):
        for table, column, kind, is_generated, refers_to, key in application.execute(COLUMNS).fetchall():
            if table not in tables - empty or is_generated or column == "id":
                continue
            refusal = tried(application, changing(table, column, kind, refers_to, key))
            if refusal is None:
                accepted[table].add(column)
            elif not any(words in refusal for words in OUR_WORDS) and not found[table] & set(TOLD):
                checked[table].add(column)
    assert empty == NOT_PLAYED
    assert dict(accepted) == WITHOUT_AN_EVENT
    assert dict(checked) == TAKES_CERTAIN_VALUES


def test_no_row_of_a_guarded_table_is_deleted_without_an_event(scene: None, application: Application):
    tables = guarded(application)
    with application.transaction(force_rollback=True):
        gone = {
            table
            for table in tables
            if rows_in(application, table)
            and tried(application, sql.SQL("DELETE FROM {}").format(sql.Identifier(table))) is None
        }
    assert gone == DELETED_WITHOUT_AN_EVENT


DECIDE_ON_BATCH = """
    INSERT INTO exceptions_app_batchdecision (batch_id, verdict, decider_id, frozen_sha256, because, decided_at)
    SELECT b.id, {verdict}, u.id, b.frozen_sha256, 'x', now() FROM exceptions_app_replaybatch b, workbench_user u
    WHERE b.state = 'awaiting_approval' AND u.username = {username}
"""


def test_batch_is_decided_on_by_those_alone_who_may_approve_all_of_it(scene: None, application: Application):
    people = {name for (name,) in application.execute("SELECT username FROM workbench_user")}
    for verdict in ("approved", "rejected"):
        said = {
            name: tried(application, sql.SQL(DECIDE_ON_BATCH).format(verdict=verdict, username=name)) or ""
            for name in people
        }
        # Both are controllers without a hand in it. What these two are refused for is the missing event alone.
        assert {name for name, words in said.items() if "four eyes" not in words} == {"conrad", "cem"}
        assert all("no audit event" in said[name] for name in ("conrad", "cem"))


def rows_in(application: Application, table: str) -> int:
    row = application.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def changing(table: str, column: str, kind: str, refers_to: str | None, key: str) -> sql.Composed:
    """The row of the lowest key with another value in that column, no longer than the old one; of a reference, another.

    Not the row that lies first: which one that is hangs on what has been vacuumed.
    """
    name = sql.Identifier(column)
    if refers_to is not None:
        other = sql.SQL("(SELECT coalesce(max(id) FILTER (WHERE id IS DISTINCT FROM t.{}), 0) FROM {})")
        value = other.format(name, sql.Identifier(refers_to.removeprefix("public.")))
    elif kind in NUMBERS:
        value = sql.SQL("coalesce({}, 0) + 1").format(name)
    else:
        written = OTHER_VALUE.get(kind, "overlay(coalesce({c}, '') placing '~' from 1 for 1)")
        value = sql.SQL(written.replace("{c}", "{}")).format(name)
    update = "UPDATE {} t SET {} = {} WHERE ctid = (SELECT ctid FROM {} ORDER BY {} LIMIT 1)"
    return sql.SQL(update).format(sql.Identifier(table), name, value, sql.Identifier(table), sql.Identifier(key))


def tried(application: Application, statement: sql.Composed) -> str | None:
    """The refusal in words, to the very end: some guards speak at the commit."""
    try:
        with application.transaction(force_rollback=True):
            application.execute(statement)
            application.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error as error:
        return str(error).partition("\n")[0]
    return None
