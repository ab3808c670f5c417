"""Column types that Django has no field for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    IntegerField = models.BigIntegerField[int, int]
else:
    IntegerField = models.BigIntegerField


class CurrentTransactionId(models.Func):
    """The 64-bit id of the running transaction, which never wraps round within one cluster."""

    function = "pg_current_xact_id"
    arity = 0

    def __init__(self) -> None:
        super().__init__(output_field=TransactionIdField())


class TransactionIdField(IntegerField):
    """PostgreSQL ``xid8``, an ``int`` in Python."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "%s" if hasattr(value, "as_sql") else "%s::text::xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002
        if value is None or hasattr(value, "as_sql"):
            return value
        return str(int(value))
