"""Injections in every stored text that somebody wrote or a system sent: in the rows of `everything`, past all guards.

What the actions would refuse to take is planted too: a page has to show as a text whatever the database holds.
"""
# ruff: noqa: S608 - the names of tables and columns of our models

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from django.apps import apps
from django.db import connection as database
from django.db import models
from psycopg.types.json import Jsonb

from tests.guards import GUARD, PASS
from tests.injections import INJECTIONS

OURS = ("workbench", "exceptions_app", "integrations", "audit")
LONGEST = 1500  # characters, where the column has no end
_FOR_THE_NUMBER = 6
# What people typed, or senders and targets sent, by the name of its column.
FREE = frozenset(
    {
        "first_name", "last_name", "name", "purpose", "because", "cancelled_because", "closed_because", "reason",
        "stopped_because", "lifted_because", "paused_because", "opened_because", "review", "text", "title", "field",
        "team", "problem", "problem_field", "remedy", "last_problem", "detail", "note", "words", "summary", "label",
        "waiting_for", "document_number", "counterparty", "reference", "business_key", "value", "was", "source",
        "check_name", "source_value", "target_value", "external_id", "file_name", "quarantined_as", "owner",
        "target_url", "write_back_url", "watched_folder", "party_id", "path", "unit", "ordering_key",
        "correlation_id", "received_by", "stopped_by", "lifted_by", "noted_by", "planned_by", "cancelled_by",
        "stated_by", "agreed_by", "browser",
    }
)  # fmt: skip
# Parts of the program under the same name: kinds of rows, addresses of a request, and what is looked up by its words.
NOT_FREE = frozenset(
    {"exceptions_app_apirequest.path", "exceptions_app_notification.reference", "audit_checkpoint.note"}
)
# Of what is kept as JSON, by the name of the column; and of what stands in it, the texts under these names.
FREE_JSON = frozenset({"errors", "check_errors", "changes", "typed", "data", "told", "missing", "findings", "steps"})
FREE_KEYS = frozenset(
    {
        "text", "plain", "field", "problem", "was", "will_be", "label", "because", "reason", "words", "detail", "note",
        "proposed_value", "name", "counterparty", "reference", "remedy", "BT-2",
    }
)  # fmt: skip


class Texts:
    """One text after the other, each beginning with the next injection and holding as many as there is room for."""

    def __init__(self) -> None:
        self._numbers = count()

    def of(self, room: int | None) -> str:
        """With a number at its end, so that no two are the same."""
        number = next(self._numbers)
        most = (room or LONGEST) - _FOR_THE_NUMBER
        text = INJECTIONS[number % len(INJECTIONS)][:most]
        following = number + 1
        while len(more := f"{text} {INJECTIONS[following % len(INJECTIONS)]}") <= most and following < number + 170:
            text, following = more, following + 1
        return f"{text} {number}"


def plant() -> int:
    """In every row that there is. Returns how many texts."""
    texts, planted = Texts(), 0
    with database.cursor() as cursor:
        # What waits for the end of the transaction is judged by what stood there.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(PASS)
        for model, field in free_columns():
            table, key = model._meta.db_table, model._meta.pk.column
            cursor.execute(f'SELECT {key}, "{field.column}" FROM {table} ORDER BY {key}')
            rows = [(pk, held) for pk, held in cursor.fetchall() if held]
            changed = [(_instead(held, field, texts), pk) for pk, held in rows]
            cursor.executemany(f'UPDATE {table} SET "{field.column}" = %s WHERE {key} = %s', changed)
            planted += len(changed)
        cursor.execute(GUARD)
    return planted


def free_columns() -> Iterator[tuple[type[models.Model], Any]]:
    for model in apps.get_models():
        if model._meta.app_label not in OURS or not model._meta.managed or model._meta.proxy:
            continue
        for field in model._meta.local_concrete_fields:
            if f"{model._meta.db_table}.{field.column}" in NOT_FREE or field.choices:
                continue
            is_text = isinstance(field, models.CharField | models.TextField) and field.column in FREE
            if is_text or (isinstance(field, models.JSONField) and field.column in FREE_JSON):
                yield model, field


def _instead(held: Any, field: Any, texts: Texts) -> Any:
    if isinstance(field, models.JSONField):
        return Jsonb(_in_json(json.loads(held) if isinstance(held, str) else held, texts))
    return texts.of(field.max_length)


def _in_json(held: Any, texts: Texts, *, is_free: bool = False) -> Any:
    if isinstance(held, dict):
        return {key: _in_json(value, texts, is_free=key in FREE_KEYS) for key, value in held.items()}
    if isinstance(held, list):
        return [_in_json(value, texts, is_free=is_free) for value in held]
    return texts.of(200) if is_free and isinstance(held, str) and held else held
