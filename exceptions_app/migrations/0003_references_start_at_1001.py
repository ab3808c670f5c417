from django.db import migrations


class Migration(migrations.Migration):
    """References such as EX-1001 keep one width for long, and a first exception does not look like a trial."""

    dependencies = [("exceptions_app", "0002_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE exceptions_app_exceptioncase ALTER COLUMN id RESTART WITH 1001",
            migrations.RunSQL.noop,
        )
    ]
