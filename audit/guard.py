"""Database triggers that refuse what must never happen, whoever writes and by whatever route.

They are declared on a model (``Meta.triggers``) and installed by its migrations through django-pgtrigger.
Two properties of django-pgtrigger's own triggers are deliberately given up here, because the application's
role could use them to switch a guard off:

* ``SET pgtrigger.ignore = …`` is honoured by pgtrigger's template; ours does not look at it.
* the function runs with the caller's ``search_path``, so a temporary table could stand in for the audit
  table; ours pins the path with ``pg_temp`` last.

A refusal has SQLSTATE 23000 and reaches Python as ``django.db.IntegrityError``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pgtrigger
from django.db import models
from pgtrigger import compiler

SEARCH_PATH = "pg_catalog, public, pg_temp"
_NEW_ROW = re.compile(r"\bNEW\.")


class GuardSql(compiler.UpsertTriggerSql):
    """Trigger SQL which no session setting can switch off. Migrations refer to it: keep it stable."""

    def get_template(self) -> str:
        return (
            """
            CREATE OR REPLACE FUNCTION {pgid}()
            RETURNS TRIGGER AS $$
                {declare}
                BEGIN
                    {func}
                END;
            $$ LANGUAGE plpgsql SET search_path = """
            + SEARCH_PATH
            + """;

            DROP TRIGGER IF EXISTS {pgid} ON {table};
            CREATE {constraint} TRIGGER {pgid}
                {when} {operation} ON {table}
                {timing}
                {referencing}
                FOR EACH {level} {condition}
                EXECUTE PROCEDURE {execute};

            COMMENT ON TRIGGER {pgid} ON {table} IS '{hash}';
        """
        )


class Guard(pgtrigger.Trigger):
    """A trigger whose refusal cannot be bypassed with a session setting."""

    def render_func(self, model: type[models.Model]) -> str:  # type: ignore[override]
        return " ".join(str(super().render_func(model)).split())  # type: ignore[arg-type]

    def compile(self, model: type[models.Model]) -> compiler.Trigger:  # type: ignore[override]
        compiled = super().compile(model)  # type: ignore[arg-type]
        kwargs = {key: value for key, value in compiled.sql.kwargs.items() if key != "ignore_func_name"}
        return compiler.Trigger(name=compiled.name, sql=GuardSql(**kwargs))


def _refusal(message: str, *arguments: str, hint: str) -> str:
    """One PL/pgSQL RAISE statement; the texts are constants of this module, not user input."""
    values = "".join(f", {argument}" for argument in arguments)
    return f"RAISE EXCEPTION '{message}'{values} USING ERRCODE = '23000', HINT = '{hint}';"


def _find_subject(expression: str, operation: pgtrigger.Operation) -> str:
    """The PL/pgSQL that names the subject; a row that is deleted has no NEW."""
    found = f"subject_ := {expression};"
    if pgtrigger.Delete not in operation:
        return found
    gone = _NEW_ROW.sub("OLD.", found)
    return f"IF TG_OP = 'DELETE' THEN {gone} ELSE {found} END IF;"


def audit_required(
    subject_expression: str,
    *,
    name: str = "audit_required",
    operation: pgtrigger.Operation = pgtrigger.Insert | pgtrigger.Update,
    condition: pgtrigger.Condition | None = None,
) -> pgtrigger.Trigger:
    """A row may be committed only together with an audit event about it, written in the same transaction.

    ``subject_expression`` is SQL over ``NEW`` that yields the event's subject, for example
    ``"'case:' || NEW.ref"``; for a deletion the same is read of ``OLD``. The check is deferred to COMMIT, so event
    and row may be written in either order; ordinary ``django_db`` tests never commit, and see it fire at their end.
    """
    refusal = _refusal(
        "% on % refused: no audit event about % in this transaction",
        "TG_OP",
        "TG_TABLE_NAME",
        "subject_",
        hint="Change this row through the action that also records the audit event.",
    )
    return Guard(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=operation,
        timing=pgtrigger.Deferred,
        condition=condition,
        declare=[("subject_", "TEXT")],
        func=f"""
            {_find_subject(subject_expression, operation)}
            IF NOT EXISTS (
                SELECT 1 FROM public.audit_event
                WHERE transaction_id = pg_current_xact_id() AND subject = subject_
            ) THEN
                {refusal}
            END IF;
            RETURN NULL;
        """,  # noqa: S608 - the expression is written in a model, by a programmer
    )


def append_only(name: str = "append_only") -> pgtrigger.Trigger:
    """Rows are written once: UPDATE and DELETE are refused. Pair it with ``truncate_refused()``."""
    refusal = _refusal(
        "% on % refused: rows of this table are never changed",
        "TG_OP",
        "TG_TABLE_NAME",
        hint="Write a new row that says what is different.",
    )
    return Guard(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete,
        func=refusal,
    )


class WrittenOnce(Guard):
    """Refuses every UPDATE and DELETE, but for the one that empties the named columns of a row whose erasure is noted.

    Noted in ``audit_erased`` by the same transaction: who may note one, the room decides that knows what is erased.
    """

    def __init__(self, *, name: str, emptied: Mapping[str, object]) -> None:
        self.emptied = emptied
        super().__init__(
            name=name,
            level=pgtrigger.Row,
            when=pgtrigger.Before,
            operation=pgtrigger.Update | pgtrigger.Delete,
            declare=[("emptied_", "RECORD")],
            func="RETURN NEW;",
        )

    def get_func(self, model: type[models.Model]) -> str:  # type: ignore[override]
        key = model._meta.pk.column
        empty = " ".join(f'emptied_."{name}" := {sql_of_empty(value)};' for name, value in self.emptied.items())
        refusal = _refusal(
            "% on % refused: rows of this table are never changed",
            "TG_OP",
            "TG_TABLE_NAME",
            hint="Write a new row that says what is different.",
        )
        return f"""
            IF TG_OP = 'UPDATE' AND EXISTS (
                SELECT 1 FROM public.audit_erased e WHERE e.transaction_id = pg_current_xact_id()
                    AND e.table_name = TG_TABLE_NAME AND e.row_key = OLD."{key}"
            ) THEN
                emptied_ := OLD;
                {empty}
                IF NEW IS NOT DISTINCT FROM emptied_ THEN
                    RETURN NEW;
                END IF;
            END IF;
            {refusal}
        """  # noqa: S608 - the names are written in a model, by a programmer


def sql_of_empty(value: object) -> str:
    """What a column holds when nothing is left in it, as SQL."""
    if isinstance(value, bytes):
        return "''::bytea"
    return f"'{json.dumps(value)}'::jsonb" if isinstance(value, list | dict) else "''"


def append_only_until_erased(emptied: Mapping[str, object], name: str = "append_only") -> pgtrigger.Trigger:
    """As ``append_only``; of an erased row these columns become what is given here, and nothing else changes."""
    return WrittenOnce(name=name, emptied=emptied)


def never_deleted(name: str = "never_deleted") -> pgtrigger.Trigger:
    """Rows may change but not go: DELETE is refused."""
    refusal = _refusal(
        "% on % refused: rows of this table are never deleted",
        "TG_OP",
        "TG_TABLE_NAME",
        hint="Close or dismiss the record instead.",
    )
    return Guard(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Delete,
        func=refusal,
    )


def truncate_refused(name: str = "truncate_refused") -> pgtrigger.Trigger:
    """TRUNCATE is refused, except to the table's owner in a database whose name starts with ``test_``.

    The exception exists because Django's test runner empties tables with TRUNCATE.
    """
    refusal = _refusal(
        "% on % refused: rows of this table are never removed",
        "TG_OP",
        "TG_TABLE_NAME",
        hint="Only the owner of a test database may empty it.",
    )
    return Guard(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func=f"""
            IF starts_with(current_database(), 'test_') AND pg_has_role(
                current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE'
            ) THEN
                RETURN NULL;
            END IF;
            {refusal}
        """,  # noqa: S608 - the refusal is a constant of this module
    )


class FrozenColumns(Guard):
    """Refuses an UPDATE that gives one of the named columns another value (NULL counts as a value)."""

    def __init__(self, *, name: str, fields: tuple[str, ...]) -> None:
        self.frozen_fields = fields
        super().__init__(
            name=name,
            level=pgtrigger.Row,
            when=pgtrigger.Before,
            operation=pgtrigger.Update,
            func="RETURN NEW;",
        )

    def get_func(self, model: type[models.Model]) -> str:  # type: ignore[override]
        checks = []
        for field_name in self.frozen_fields:
            column = model._meta.get_field(field_name).column  # type: ignore[union-attr]
            refusal = _refusal(
                f"% on % refused: {column} is never changed once written",
                "TG_OP",
                "TG_TABLE_NAME",
                hint="Write a new row that says what is different.",
            )
            checks.append(f'IF NEW."{column}" IS DISTINCT FROM OLD."{column}" THEN {refusal} END IF;')
        return " ".join([*checks, "RETURN NEW;"])


def frozen_columns(*names: str, name: str = "frozen_columns") -> pgtrigger.Trigger:
    """The named fields of the model keep the value that they were inserted with."""
    if not names:
        raise ValueError("frozen_columns() needs at least one field name.")
    return FrozenColumns(name=name, fields=names)


def has_all_its_rows(
    table: str, *, by: str, called: str, rows: str, name: str, count: str = "count"
) -> pgtrigger.Trigger:
    """A row that says how many others belong to it may be committed only together with just as many.

    It says so in its column ``count``. The others stand in ``table`` and name it in their column ``by``. The check is
    deferred to COMMIT, since both are written one after the other. With places that are numbered from one to
    the count and taken once, none joins later.
    """
    each = rows[0]  # the alias
    return Guard(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        timing=pgtrigger.Deferred,
        func=f"""
            IF (SELECT count(*) FROM public.{table} {each} WHERE {each}.{by} = NEW.id) <> NEW.{count} THEN
                RAISE EXCEPTION '{called} % has not the % {rows} that it says', NEW.id, NEW.{count}
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        """,  # noqa: S608 - the names are written in a model, by a programmer
    )
