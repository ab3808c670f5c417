"""The application's role reads and adds; it changes nothing."""

from typing import Any

from django.conf import settings
from django.db import migrations

from audit.privileges import DEFAULT_APPLICATION_ROLE, restrict_role


def restrict(apps: Any, schema_editor: Any) -> None:
    restrict_role(schema_editor.connection, role=getattr(settings, "WB_APP_ROLE", DEFAULT_APPLICATION_ROLE))


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_guards")]

    operations = [migrations.RunPython(restrict, migrations.RunPython.noop)]
