"""The application's role reads and adds; it changes nothing."""

from typing import Any

from django.conf import settings
from django.db import migrations

from audit.privileges import restrict_role


def restrict(_apps: Any, schema_editor: Any) -> None:
    restrict_role(schema_editor.connection, role=settings.APPLICATION_DATABASE.get("USER", ""))


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_guards")]

    operations = [migrations.RunPython(restrict, migrations.RunPython.noop)]
