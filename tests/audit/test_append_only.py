# ruff: noqa: S608 - SQL made of the test's own values is what these tests are about
import psycopg
import pytest
from django.db import IntegrityError, connection

from audit.models import AuditCheckpoint, AuditEvent, AuditSeal
from audit.privileges import APPEND_ONLY_TABLES, restrict_role

CHANGES = [
    ("UPDATE audit_event SET actor = 'somebody'", "rows of this table are never changed"),
    ("UPDATE audit_seal SET sequence = sequence + 1", "rows of this table are never changed"),
    ("UPDATE audit_checkpoint SET note = ''", "rows of this table are never changed"),
    ("DELETE FROM audit_seal", "rows of this table are never changed"),
    ("DELETE FROM audit_event", "rows of this table are never changed"),
    ("DELETE FROM audit_checkpoint", "rows of this table are never changed"),
]


@pytest.fixture
def log(transactional_db, write, seal):
    for number in range(3):
        write(number)
    seal(limit=10, at=write(3).at)
    return (AuditEvent.objects.count(), AuditSeal.objects.count(), AuditCheckpoint.objects.count())


def counts():
    return (AuditEvent.objects.count(), AuditSeal.objects.count(), AuditCheckpoint.objects.count())


@pytest.mark.parametrize(("statement", "message"), CHANGES)
def test_change_is_refused_to_the_owner(log, statement, message):
    with pytest.raises(IntegrityError, match=message), connection.cursor() as cursor:
        cursor.execute(statement)
    assert counts() == log == (4, 4, 1)


@pytest.mark.parametrize("table", APPEND_ONLY_TABLES)
def test_change_is_refused_whatever_the_session_sets(log, table):
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(tgname::text) FROM pg_trigger WHERE NOT tgisinternal")
        names = ",".join(cursor.fetchone()[0])
        cursor.execute("SELECT set_config('pgtrigger.ignore', %s, false)", ["{" + names + "}"])
        try:
            with pytest.raises(IntegrityError, match="rows of this table are never changed"):
                cursor.execute(f"DELETE FROM {table}")
        finally:
            cursor.execute("RESET pgtrigger.ignore")
    assert counts() == log


@pytest.mark.parametrize("statement", [statement for statement, _ in CHANGES])
def test_change_is_refused_to_the_application_role(log, application, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement)
    assert counts() == log


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE audit_event CASCADE",
        "TRUNCATE audit_seal",
        "TRUNCATE audit_checkpoint",
        "TRUNCATE audit_backlog",
        "ALTER TABLE audit_event DISABLE TRIGGER USER",
        "DROP TRIGGER audit_event_check ON audit_event",
        "SET session_replication_role = replica",
        "CREATE TABLE public.audit_event_copy ()",
    ],
)
def test_way_round_the_triggers_is_refused_to_the_application_role(log, application, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement)
    assert counts() == log


def test_application_role_may_seal_and_record(log, application):
    with application.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, string_agg(privilege_type, ',' ORDER BY privilege_type)"
            " FROM information_schema.table_privileges"
            " WHERE grantee = current_user AND table_name LIKE 'audit%' GROUP BY 1 ORDER BY 1"
        )
        assert cursor.fetchall() == [
            ("audit_backlog", "DELETE,INSERT,SELECT"),
            ("audit_checkpoint", "INSERT,SELECT"),
            ("audit_erased", "INSERT,SELECT"),
            ("audit_event", "INSERT,SELECT"),
            ("audit_seal", "INSERT,SELECT"),
        ]


def test_restricting_again_after_a_broad_grant_takes_it_back(log, application):
    role = application.info.user
    with connection.cursor() as cursor:
        cursor.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"')
        try:
            assert restrict_role(connection, role=role) is True
        finally:
            cursor.execute(f'REVOKE TRUNCATE, REFERENCES, TRIGGER ON ALL TABLES IN SCHEMA public FROM "{role}"')
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute("DELETE FROM audit_event")


def test_restricting_missing_or_connected_role_changes_nothing(log):
    assert restrict_role(connection, role="nobody_of_that_name") is False
    assert restrict_role(connection, role=connection.settings_dict["USER"]) is False


def test_truncate_is_refused_outside_a_test_database(log):
    """The database of a test always starts with ``test_``, so the trigger's own text is run with another name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prosrc FROM pg_proc JOIN pg_trigger ON tgfoid = pg_proc.oid"
            " WHERE tgrelid = 'audit_event'::regclass AND tgname LIKE 'pgtrigger_truncate_refused%'"
        )
        (source,) = cursor.fetchone()
        assert "starts_with(current_database(), 'test_')" in source
        cursor.execute("CREATE TABLE kept (id int)")
        try:
            body = source.replace("current_database()", "'production'")
            cursor.execute(f"CREATE FUNCTION kept_truncate() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
            cursor.execute("CREATE TRIGGER kept BEFORE TRUNCATE ON kept EXECUTE FUNCTION kept_truncate()")
            with pytest.raises(IntegrityError, match="TRUNCATE on kept refused"):
                cursor.execute("TRUNCATE kept")
        finally:
            cursor.execute("DROP TABLE kept; DROP FUNCTION IF EXISTS kept_truncate()")
