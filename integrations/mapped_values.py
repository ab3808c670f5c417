"""What the translation asks of value mappings, wherever they are kept: the target's value for one of the source."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from integrations.value_kinds import KIND_WORDS, ValueKind


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A value that no mapping knows. `on` is the day for which it was asked, in ISO 8601, empty when none is known.

    `path` is where the target's value would stand in the payload bound for the target; empty where more would have
    to be done with it on the way.
    """

    kind: str
    value: str
    on: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class MappedValue:
    """A value of the target, and which version of which mapping gave it."""

    kind: ValueKind
    source: str
    target: str
    mapping: str
    version: int

    def __str__(self) -> str:
        return f"{self.mapping} {self.version}"

    @property
    def in_words(self) -> str:
        """“VM-12 (version 3): product family “ROBOTICS” is “800400””"""
        noun = KIND_WORDS[self.kind].noun
        return f"{self.mapping} (version {self.version}): {noun} “{self.source}” is “{self.target}”"

    @property
    def told(self) -> Mapping[str, Any]:
        """The same as data, to keep beside what was made of it."""
        return {
            "mapping": self.mapping,
            "version": self.version,
            "kind": self.kind.value,
            "source": self.source,
            "target": self.target,
        }


class MappedValues(Protocol):
    def find(self, kind: ValueKind, value: str, *, on: date, entity: str) -> MappedValue | None:
        """What holds on that day for the legal entity of that code, else for all of them; None when nothing does."""


class NoMappings:
    """Nothing is mapped, as where nobody keeps mappings."""

    def find(self, kind: ValueKind, value: str, *, on: date, entity: str) -> MappedValue | None:
        return None
