"""What a right means, and what a row was before, is not for the application's role to change."""

from typing import Any

from django.conf import settings
from django.db import migrations

from audit.privileges import take

# Written when the owner migrates. A permission by another name would be another right in the hands of all who hold it.
MEANINGS = ("auth_permission", "auth_group_permissions", "django_content_type", "django_migrations")
# Roles are added, and keep their names: grants and events name them.
NAMES = ("auth_group",)
HISTORY = (
    "exceptions_app_historicalexceptioncase",
    "exceptions_app_historicallegalentity",
    "exceptions_app_historicalqueue",
    "exceptions_app_historicalroute",
    "integrations_historicalconnection",
    "integrations_historicalpullsource",
    "integrations_historicalretrypolicy",
)


def restrict(_apps: Any, schema_editor: Any) -> None:
    role = settings.APPLICATION_DATABASE.get("USER", "")
    take(schema_editor.connection, "INSERT, UPDATE, DELETE", MEANINGS, role=role)
    take(schema_editor.connection, "UPDATE, DELETE", (*NAMES, *HISTORY), role=role)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("exceptions_app", "0030_sensitive_data"),
        ("integrations", "0021_delivery_in_doubt"),
    ]

    operations = [migrations.RunPython(restrict, migrations.RunPython.noop)]
