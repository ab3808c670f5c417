"""The ledger of effects begins with what the answers that were kept before it prove."""

from django.db import migrations

# The last answer of each delivery that ended; what says neither booked nor there proves nothing.
_FROM_THE_ANSWERS = """
    INSERT INTO integrations_effect (connection_id, object_type, business_key, reference, is_ours, content_sha256,
        seen_by, delivery_id, answer_id, told, observed_at)
    SELECT d.connection_id, d.object_type, d.business_key, d.reference, a.outcome <> 'different', d.content_sha256,
        CASE t.phase WHEN 'send' THEN 'confirmed' ELSE 'probe' END, d.id, a.attempt_id, '{}'::jsonb, a.finished_at
    FROM integrations_delivery d
    JOIN LATERAL (
        SELECT a.* FROM integrations_deliveryanswer a JOIN integrations_deliveryattempt t ON t.id = a.attempt_id
        WHERE t.delivery_id = d.id ORDER BY t.id DESC LIMIT 1
    ) a ON a.outcome IN ('confirmed', 'same', 'different')
    JOIN integrations_deliveryattempt t ON t.id = a.attempt_id
    WHERE d.operation = 'submit' AND d.state IN ('confirmed', 'already_there', 'conflict')
    ORDER BY a.attempt_id
"""


class Migration(migrations.Migration):
    dependencies = [("integrations", "0013_effect_ledger")]
    operations = [migrations.RunSQL(_FROM_THE_ANSWERS, migrations.RunSQL.noop)]
