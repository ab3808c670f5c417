from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import connections

from workbench.database_roles import grant_future_tables


class Command(MigrateCommand):
    """Django's migrate, which first lets the application role use the tables that are about to be made."""

    def handle(self, *args: Any, **options: Any) -> None:
        application = str(settings.APPLICATION_DATABASE.get("USER", ""))
        connection = connections[options["database"]]
        if application not in {"", connection.settings_dict["USER"]}:
            grant_future_tables(connection, to=application)
        super().handle(*args, **options)
