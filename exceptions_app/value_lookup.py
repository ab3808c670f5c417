"""Value mappings as the translation asks for them: what holds for one connection, read when it is first asked for."""

from datetime import date

from exceptions_app.models import MappingEntry
from integrations.mapped_values import MappedValue
from integrations.models import Connection
from integrations.value_kinds import ValueKind


class MappedValuesOf:
    """The rows that hold for one connection now. One query for each value that is asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked: dict[tuple[ValueKind, str], list[MappingEntry]] = {}

    def find(self, kind: ValueKind, value: str, *, on: date, entity: str) -> MappedValue | None:
        """What holds on that day for the legal entity of that code, else for all of them; None when nothing does."""
        holding = [entry for entry in self._entries(kind, value) if entry.holds_on(on)]
        own = [entry for entry in holding if entry.mapping.entity is not None and entry.mapping.entity.code == entity]
        shared = [entry for entry in holding if entry.mapping.entity is None]
        return next((_mapped(entry) for entry in (*own, *shared)), None)

    def _entries(self, kind: ValueKind, value: str) -> list[MappingEntry]:
        if (kind, value) not in self._asked:
            entries = MappingEntry.objects.filter(
                mapping__connection=self._connection, mapping__kind=kind, source_value=value, retired_in=None
            )
            self._asked[kind, value] = list(entries.select_related("mapping__entity"))
        return self._asked[kind, value]


def mapped_values_of(connection: Connection) -> MappedValuesOf:
    return MappedValuesOf(connection)


def _mapped(entry: MappingEntry) -> MappedValue:
    mapping = entry.mapping
    return MappedValue(ValueKind(mapping.kind), entry.source_value, entry.target_value, mapping.ref, entry.version)
