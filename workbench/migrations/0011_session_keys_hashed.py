"""Keys of sessions are stored as hashes. Those that are open go on: what their browsers hold is hashed here."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("workbench", "0010_service_accounts"),
    ]

    operations = [
        migrations.RunSQL(
            "UPDATE workbench_session SET session_key = left(encode(sha256(convert_to(session_key, 'UTF8')), 'hex'), 40)",
            # Back again nobody knows the keys: who is signed in signs in anew.
            "DELETE FROM workbench_session",
        ),
    ]
