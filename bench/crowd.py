"""Many open exceptions, made in the database as copies of one that came the ordinary way."""

import psycopg
from django.db import models
from psycopg import sql

from exceptions_app.models import ExceptionCase, Occurrence

# What must differ between them, or spreads them over the orders of the list; `n` counts from 1.
_CASE = {
    "business_key": "'crowd-' || n",
    "document_number": "'INV-CROWD-' || n",
    "priority": "1 + mod(n, 4)",
    "amount": "100 + mod(n::bigint * 7919, 100000)",
    "state": "CASE mod(n, 3) WHEN 0 THEN 'in_progress' ELSE 'new' END",
    "opened_at": "pattern.opened_at - n * interval '1 minute'",
    "due_at": "pattern.opened_at + mod(n * 31, 20000) * interval '1 minute'",
}


def grow_to(number: int, *, pattern: ExceptionCase, bare: psycopg.Connection) -> None:
    """Make as many open exceptions in the queue of the pattern as `number` says, each with one occurrence.

    The guards are off meanwhile, as only the owner of the tables can have it: copies have no audit events.
    """
    there = ExceptionCase.objects.filter(queue=pattern.queue_id).count()
    tables = [_table(model) for model in (ExceptionCase, Occurrence)]
    with bare.transaction():
        bare.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or the tables could not be altered back
        for table in tables:
            bare.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
        bare.execute(_copies(), {"pattern": pattern.pk, "first": there, "last": number - 1})
        for table in tables:
            bare.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))
    for table in tables:
        bare.execute(sql.SQL("VACUUM ANALYZE {}").format(table))


def _copies() -> sql.Composed:
    """Copies of the pattern's row, and for each a copy of the pattern's occurrence."""
    return sql.SQL("""
        WITH made AS (
            INSERT INTO {cases} ({case_columns})
            SELECT {case_values} FROM {cases} pattern, generate_series(%(first)s::int, %(last)s::int) n
            WHERE pattern.id = %(pattern)s
            RETURNING id
        )
        INSERT INTO {occurrences} ({occurrence_columns})
        SELECT {occurrence_values} FROM {occurrences} pattern, made WHERE pattern.case_id = %(pattern)s
    """).format(
        cases=_table(ExceptionCase),
        occurrences=_table(Occurrence),
        case_columns=_columns(ExceptionCase),
        case_values=_values(ExceptionCase, _CASE),
        occurrence_columns=_columns(Occurrence),
        occurrence_values=_values(Occurrence, {"case_id": "made.id"}),
    )


def _table(model: type[models.Model]) -> sql.Identifier:
    return sql.Identifier(model._meta.db_table)


def _names(model: type[models.Model]) -> list[str]:
    return [str(field.column) for field in model._meta.local_concrete_fields if not field.primary_key]


def _columns(model: type[models.Model]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, _names(model)))


def _values(model: type[models.Model], different: dict[str, str]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL(different[name]) if name in different else sql.Identifier("pattern", name) for name in _names(model)
    )
