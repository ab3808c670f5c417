"""What the database itself sees to when an event is inserted, by whatever route."""

from django.db import migrations

# An event belongs to the transaction that writes it: a made-up transaction id would satisfy audit_required for
# another one. The leaf must be the hash of the stored bytes, or sealing would vouch for something else.
CHECK_EVENT = """
CREATE FUNCTION audit_event_check() RETURNS TRIGGER AS $$
BEGIN
    IF NEW.transaction_id IS DISTINCT FROM pg_current_xact_id() THEN
        RAISE EXCEPTION 'INSERT on audit_event refused: transaction_id is not that of this transaction'
            USING ERRCODE = '23000', HINT = 'Leave transaction_id to its default.';
    END IF;
    IF NEW.leaf IS DISTINCT FROM sha256('\\x00'::bytea || NEW.body) THEN
        RAISE EXCEPTION 'INSERT on audit_event refused: leaf is not the hash of body'
            USING ERRCODE = '23000', HINT = 'Write events through audit.log.record().';
    END IF;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp;

CREATE TRIGGER audit_event_check BEFORE INSERT ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_check();
"""

QUEUE_EVENT = """
CREATE FUNCTION audit_event_queue() RETURNS TRIGGER AS $$
BEGIN
    INSERT INTO public.audit_backlog (event_id, transaction_id) SELECT id, transaction_id FROM inserted;
    RETURN NULL;
END;
$$ LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp;

CREATE TRIGGER audit_event_queue AFTER INSERT ON audit_event
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_queue();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(
            CHECK_EVENT,
            "DROP TRIGGER audit_event_check ON audit_event; DROP FUNCTION audit_event_check();",
        ),
        migrations.RunSQL(
            QUEUE_EVENT,
            "DROP TRIGGER audit_event_queue ON audit_event; DROP FUNCTION audit_event_queue();",
        ),
    ]
