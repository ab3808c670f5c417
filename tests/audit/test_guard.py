import pgtrigger
import psycopg
import pytest
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import isolate_apps

from audit.guard import append_only, audit_required, frozen_columns, never_deleted, truncate_refused


@pytest.fixture
def guarded(transactional_db):
    """A table of another room, with whatever guards a test asks for."""
    with isolate_apps("audit"):

        class Parcel(models.Model):  # noqa: DJ008 - never shown
            ref = models.CharField(max_length=20)
            state = models.CharField(max_length=20, null=True)  # noqa: DJ001

            class Meta:
                app_label = "audit"
                db_table = "guarded_parcel"

        with connection.schema_editor() as editor:
            editor.create_model(Parcel)

        def guard(*triggers):
            with connection.cursor() as cursor:
                for trigger in triggers:
                    cursor.execute(trigger.compile(Parcel).install_sql)
            return Parcel

        yield guard
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE guarded_parcel")


SUBJECT = "'parcel:' || NEW.ref"


def event_about(write, ref, **changes):
    return write(action="parcel.moved", subject=f"parcel:{ref}", **changes)


def test_row_without_event_is_refused_at_commit(guarded):
    parcel = guarded(audit_required(SUBJECT))
    with pytest.raises(IntegrityError, match="no audit event about parcel:P1 in this transaction"):
        parcel.objects.create(ref="P1")
    assert parcel.objects.count() == 0


def test_update_by_query_without_event_is_refused(guarded, write):
    parcel = guarded(audit_required(SUBJECT))
    with transaction.atomic():
        parcel.objects.create(ref="P1", state="new")
        event_about(write, "P1")
    with pytest.raises(IntegrityError, match="UPDATE on guarded_parcel refused"):
        parcel.objects.update(state="moved")
    assert parcel.objects.get().state == "new"


@pytest.mark.parametrize("event_first", [True, False])
def test_row_with_event_in_the_same_transaction_is_kept(guarded, write, event_first):
    parcel = guarded(audit_required(SUBJECT))
    with transaction.atomic():
        if event_first:
            event_about(write, "P1")
        parcel.objects.create(ref="P1", state="new")
        if not event_first:
            event_about(write, "P1")
    assert parcel.objects.get().state == "new"


def test_event_of_an_earlier_transaction_does_not_count(guarded, write):
    parcel = guarded(audit_required(SUBJECT))
    event_about(write, "P1")
    with pytest.raises(IntegrityError, match="no audit event about parcel:P1"):
        parcel.objects.create(ref="P1")


def test_event_about_another_subject_does_not_count(guarded, write):
    parcel = guarded(audit_required(SUBJECT))

    @transaction.atomic
    def change():
        parcel.objects.create(ref="P1")
        event_about(write, "P2")

    with pytest.raises(IntegrityError, match="no audit event about parcel:P1"):
        change()
    assert parcel.objects.count() == 0


def test_event_rolled_back_to_savepoint_does_not_count(guarded, write):
    parcel = guarded(audit_required(SUBJECT))

    @transaction.atomic
    def change():
        parcel.objects.create(ref="P1")
        savepoint = transaction.savepoint()
        event_about(write, "P1")
        transaction.savepoint_rollback(savepoint)

    with pytest.raises(IntegrityError, match="no audit event about parcel:P1"):
        change()
    assert parcel.objects.count() == 0


def test_subject_that_is_null_is_refused(guarded, write):
    parcel = guarded(audit_required("'parcel:' || NEW.state"))

    @transaction.atomic
    def change():
        parcel.objects.create(ref="P1", state=None)
        event_about(write, "P1")

    with pytest.raises(IntegrityError, match="no audit event about <NULL>"):
        change()


WRITTEN_OR_DELETED = pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete


def kept(parcel, write, ref, **columns):
    with transaction.atomic():
        event_about(write, ref)
        return parcel.objects.create(ref=ref, **columns)


def test_deletion_without_event_is_refused_when_it_is_guarded(guarded, write):
    parcel = guarded(audit_required(SUBJECT, operation=WRITTEN_OR_DELETED))
    kept(parcel, write, "P1")
    with pytest.raises(IntegrityError, match="DELETE on guarded_parcel refused: no audit event about parcel:P1"):
        parcel.objects.all().delete()
    assert parcel.objects.count() == 1


def test_deletion_with_event_about_the_row_that_goes_is_let_through(guarded, write):
    parcel = guarded(audit_required(SUBJECT, operation=WRITTEN_OR_DELETED))
    for ref in ("P1", "P2"):
        kept(parcel, write, ref)
    with transaction.atomic():
        event_about(write, "P1")
        parcel.objects.filter(ref="P1").delete()
    assert list(parcel.objects.values_list("ref", flat=True)) == ["P2"]


def test_deletion_with_event_about_another_row_is_refused(guarded, write):
    parcel = guarded(audit_required(SUBJECT, operation=WRITTEN_OR_DELETED))
    for ref in ("P1", "P2"):
        kept(parcel, write, ref)

    @transaction.atomic
    def change():
        event_about(write, "P1")
        parcel.objects.all().delete()

    with pytest.raises(IntegrityError, match="no audit event about parcel:P2"):
        change()
    assert parcel.objects.count() == 2


def test_writing_is_guarded_beside_deleting(guarded):
    parcel = guarded(audit_required(SUBJECT, operation=WRITTEN_OR_DELETED))
    with pytest.raises(IntegrityError, match="INSERT on guarded_parcel refused: no audit event about parcel:P1"):
        parcel.objects.create(ref="P1")


def test_subject_is_read_of_the_deleted_row_in_every_place_of_the_expression(guarded, write):
    of_both = "'parcel:' || (SELECT NEW.ref || max(NEW.state))"
    parcel = guarded(audit_required(of_both, operation=pgtrigger.Delete))
    parcel.objects.create(ref="P", state="1")
    with transaction.atomic():
        event_about(write, "P1")
        parcel.objects.all().delete()
    assert parcel.objects.count() == 0


@pytest.mark.parametrize(
    "trick",
    [
        "SET pgtrigger.ignore = '{NAME}'",
        "CREATE TEMP TABLE audit_event (transaction_id xid8 DEFAULT pg_current_xact_id(), subject text)",
        "SET CONSTRAINTS ALL IMMEDIATE",
    ],
)
def test_application_role_cannot_trick_the_guard(guarded, application, trick):
    parcel = guarded(audit_required(SUBJECT))
    name = audit_required(SUBJECT).get_pgid(parcel)
    application.autocommit = False

    def change():
        application.execute(trick.replace("NAME", name))
        if trick.startswith("CREATE"):
            application.execute("INSERT INTO audit_event (subject) VALUES ('parcel:P1')")
        application.execute("INSERT INTO guarded_parcel (ref) VALUES ('P1')")
        application.commit()

    with pytest.raises(psycopg.errors.IntegrityError, match="no audit event about parcel:P1"):
        change()
    application.rollback()
    assert parcel.objects.count() == 0


def test_append_only_refuses_update_and_delete(guarded):
    parcel = guarded(append_only())
    parcel.objects.create(ref="P1", state="new")
    with pytest.raises(IntegrityError, match="UPDATE on guarded_parcel refused"):
        parcel.objects.update(state="moved")
    with pytest.raises(IntegrityError, match="DELETE on guarded_parcel refused"):
        parcel.objects.all().delete()
    assert list(parcel.objects.values_list("ref", "state")) == [("P1", "new")]


def test_never_deleted_refuses_delete_alone(guarded):
    parcel = guarded(never_deleted())
    parcel.objects.create(ref="P1", state="new")
    parcel.objects.update(state="moved")
    with pytest.raises(IntegrityError, match="DELETE on guarded_parcel refused"):
        parcel.objects.all().delete()
    assert list(parcel.objects.values_list("ref", "state")) == [("P1", "moved")]


def test_frozen_column_is_refused_another_value(guarded):
    parcel = guarded(frozen_columns("ref", "state"))
    parcel.objects.create(ref="P1", state=None)
    parcel.objects.update(ref="P1")
    with pytest.raises(IntegrityError, match="ref is never changed once written"):
        parcel.objects.update(ref="P2")
    with pytest.raises(IntegrityError, match="state is never changed once written"):
        parcel.objects.update(state="moved")
    assert list(parcel.objects.values_list("ref", "state")) == [("P1", None)]


def test_frozen_columns_leaves_other_columns_alone(guarded):
    parcel = guarded(frozen_columns("ref"))
    parcel.objects.create(ref="P1", state="new")
    parcel.objects.update(state="moved")
    assert parcel.objects.get().state == "moved"


def test_frozen_columns_without_names_is_refused():
    with pytest.raises(ValueError, match="at least one field"):
        frozen_columns()


def test_truncate_is_allowed_to_the_owner_of_a_test_database(guarded):
    parcel = guarded(truncate_refused())
    parcel.objects.create(ref="P1")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE guarded_parcel")
    assert parcel.objects.count() == 0
