"""Connections to the test database beside that of the test."""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import connection


def connect(account: Mapping[str, Any] | None = None) -> "psycopg.Connection[Any]":
    """One that commits each statement; by an account of the settings such as APPLICATION_DATABASE, or as the owner."""
    there = connection.settings_dict
    account = account or there
    return psycopg.connect(
        dbname=there["NAME"], user=account["USER"], password=account["PASSWORD"], host=account["HOST"],
        port=account["PORT"] or None, autocommit=True,
    )  # fmt: skip
