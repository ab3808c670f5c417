import uuid

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import audit.fields
import audit.guard


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "transaction_id",
                    audit.fields.TransactionIdField(db_default=audit.fields.CurrentTransactionId(), editable=False),
                ),
                ("event_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("at", models.DateTimeField()),
                ("action", models.CharField(max_length=80)),
                ("actor", models.CharField(max_length=254)),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[("person", "Person"), ("machine", "Machine"), ("service", "Service")], max_length=8
                    ),
                ),
                ("subject", models.CharField(max_length=200)),
                ("scope", models.CharField(blank=True, max_length=200)),
                ("summary", models.TextField()),
                ("because", models.TextField(blank=True)),
                ("correlation_id", models.CharField(blank=True, max_length=200)),
                ("data", models.JSONField(default=dict)),
                ("body", models.BinaryField()),
                ("leaf", models.BinaryField(max_length=32)),
            ],
            options={
                "verbose_name": "audit event",
                "db_table": "audit_event",
            },
        ),
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                ("size", models.BigIntegerField(primary_key=True, serialize=False)),
                ("root", models.BinaryField(max_length=32)),
                ("chain_head", models.BinaryField(max_length=32)),
                ("frontier", models.BinaryField()),
                ("at", models.DateTimeField()),
                ("previous_digest", models.BinaryField(max_length=32)),
                ("note", models.TextField()),
                ("signature", models.BinaryField(max_length=64)),
                ("key_id", models.CharField(max_length=8)),
            ],
            options={
                "verbose_name": "audit checkpoint",
                "db_table": "audit_checkpoint",
            },
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("sequence", models.BigIntegerField(primary_key=True, serialize=False)),
                ("chain_hash", models.BinaryField(max_length=32)),
            ],
            options={
                "verbose_name": "audit seal",
                "db_table": "audit_seal",
            },
        ),
        migrations.CreateModel(
            name="AuditBacklog",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="audit.auditevent",
                    ),
                ),
                ("transaction_id", audit.fields.TransactionIdField()),
            ],
            options={
                "verbose_name": "unsealed audit event",
                "db_table": "audit_backlog",
            },
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["transaction_id", "subject"], name="audit_event_transaction"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["subject", "at", "id"], name="audit_event_timeline"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["at", "id"], name="audit_event_at"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["actor", "at", "id"], name="audit_event_actor"),
        ),
        migrations.AddConstraint(
            model_name="auditevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("actor_kind__in", ["person", "machine", "service"])),
                name="audit_event_actor_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="auditevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("actor", ""), _negated=True),
                    models.Q(("action", ""), _negated=True),
                    models.Q(("subject", ""), _negated=True),
                    models.Q(("summary", ""), _negated=True),
                ),
                name="audit_event_says_who_what_and_whereof",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=audit.guard.GuardSql(
                    func="RAISE EXCEPTION '% on % refused: rows of this table are never changed', TG_OP, TG_TABLE_NAME USING ERRCODE = '23000', HINT = 'Write a new row that says what is different.';",
                    hash="68605febbfec029ed0e484e5780244965dde813f",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_00dfa",
                    table="audit_event",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditevent",
            trigger=pgtrigger.compiler.Trigger(
                name="truncate_refused",
                sql=audit.guard.GuardSql(
                    func="IF starts_with(current_database(), 'test_') AND pg_has_role( current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE' ) THEN RETURN NULL; END IF; RAISE EXCEPTION '% on % refused: rows of this table are never removed', TG_OP, TG_TABLE_NAME USING ERRCODE = '23000', HINT = 'Only the owner of a test database may empty it.';",
                    hash="35dbb2178bb2ce2b47669e5b5511ffe719f91270",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_truncate_refused_a7992",
                    table="audit_event",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="auditcheckpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("size__gte", 1)), name="audit_checkpoint_size_positive"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditcheckpoint",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=audit.guard.GuardSql(
                    func="RAISE EXCEPTION '% on % refused: rows of this table are never changed', TG_OP, TG_TABLE_NAME USING ERRCODE = '23000', HINT = 'Write a new row that says what is different.';",
                    hash="f84c68000c0e2ac42ad9937a7fbf7a1cbe2acbae",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_616df",
                    table="audit_checkpoint",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditcheckpoint",
            trigger=pgtrigger.compiler.Trigger(
                name="truncate_refused",
                sql=audit.guard.GuardSql(
                    func="IF starts_with(current_database(), 'test_') AND pg_has_role( current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE' ) THEN RETURN NULL; END IF; RAISE EXCEPTION '% on % refused: rows of this table are never removed', TG_OP, TG_TABLE_NAME USING ERRCODE = '23000', HINT = 'Only the owner of a test database may empty it.';",
                    hash="32606ee8361be59eab6f1515f53a2ce0fc4f1bc0",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_truncate_refused_820bf",
                    table="audit_checkpoint",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="auditseal",
            name="event",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="seal", to="audit.auditevent"
            ),
        ),
        migrations.AddIndex(
            model_name="auditbacklog",
            index=models.Index(fields=["transaction_id", "event"], name="audit_backlog_order"),
        ),
        migrations.AddConstraint(
            model_name="auditseal",
            constraint=models.CheckConstraint(
                condition=models.Q(("sequence__gte", 1)), name="audit_seal_sequence_positive"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditseal",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=audit.guard.GuardSql(
                    func="RAISE EXCEPTION '% on % refused: rows of this table are never changed', TG_OP, TG_TABLE_NAME USING ERRCODE = '23000', HINT = 'Write a new row that says what is different.';",
                    hash="37d6b59e9624ff4397823b47a1f7908f97c72a0a",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_3a3ab",
                    table="audit_seal",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditseal",
            trigger=pgtrigger.compiler.Trigger(
                name="truncate_refused",
                sql=audit.guard.GuardSql(
                    func="IF starts_with(current_database(), 'test_') AND pg_has_role( current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE' ) THEN RETURN NULL; END IF; RAISE EXCEPTION '% on % refused: rows of this table are never removed', TG_OP, TG_TABLE_NAME USING ERRCODE = '23000', HINT = 'Only the owner of a test database may empty it.';",
                    hash="087c2b6885e99af43590ce5bbd10e7b1509ccd86",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_truncate_refused_56de4",
                    table="audit_seal",
                    when="BEFORE",
                ),
            ),
        ),
    ]
