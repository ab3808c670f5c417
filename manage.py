#!/usr/bin/env python
"""Run a management command as the database role that it needs."""

import os
import sys

from django.core.management import execute_from_command_line

# These change the schema, so they connect as the role that owns it (DATABASE_OWNER_URL).
OWNER_COMMANDS = frozenset({"prepare", "migrate", "sqlmigrate", "sqlflush", "flush", "pgtrigger", "dbshell"})


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
    if OWNER_COMMANDS.intersection(sys.argv[1:2]):
        os.environ.setdefault("WB_DATABASE_ROLE", "owner")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
