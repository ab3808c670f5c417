"""How the simulated ERP is set up: its master data, its periods, and how it treats repeats."""

import json
import re
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

MASTER_DATA: Final = Path(__file__).with_name("erp_master.json")
KINDS: Final = ("companies", "accounts", "cost_centers", "customers", "tax_codes", "product_families")
_MARKS: Final = frozenset({"blocked", "locked", "closes_soon", "needs_cost_center", "asks_for_cost_center"})
_PERIOD: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")

Entries = dict[str, dict[str, bool]]


class ChangeNotUnderstood(Exception):
    """`field` names what is wrong in the control call."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field


@dataclass(slots=True)
class Books:
    """`master` is kind → key → marks: blocked, locked (somebody works on it), closes_soon, needs_cost_center,
    asks_for_cost_center (without one it warns, and books only when told to in spite of it)."""

    master: dict[str, Entries]
    review_above: dict[str, Decimal]  # currency → amount from which the ERP warns
    closed_periods: set[str] = field(default_factory=set)  # "2026-10"
    honours_keys: bool = True
    deduplicates_references: bool = False

    @classmethod
    def fresh(cls) -> "Books":
        content = json.loads(MASTER_DATA.read_bytes())
        limits = {currency: Decimal(amount) for currency, amount in content.pop("review_above").items()}
        return cls(master={kind: content[kind] for kind in KINDS}, review_above=limits)

    def entry(self, kind: str, key: str) -> dict[str, bool] | None:
        return self.master[kind].get(key)

    def changed(self, change: dict[str, Any]) -> "Books":
        """The books after a control call; raises ChangeNotUnderstood, and then nothing of it counts.

        `close_periods` and `open_periods` take lists of months; `add` takes kind → key → marks, `remove` kind → keys;
        `honour_keys` and `deduplicate_references` are switches.
        """
        books = deepcopy(self)
        for name, value in change.items():
            match name:
                case "close_periods":
                    books.closed_periods |= _periods(name, value)
                case "open_periods":
                    books.closed_periods -= _periods(name, value)
                case "honour_keys":
                    books.honours_keys = _truth(name, value)
                case "deduplicate_references":
                    books.deduplicates_references = _truth(name, value)
                case "add":
                    books.add_entries(value)
                case "remove":
                    books.remove_entries(value)
                case _:
                    raise ChangeNotUnderstood(
                        name,
                        "use close_periods, open_periods, honour_keys, deduplicate_references, add or remove.",
                    )
        return books

    def add_entries(self, value: Any) -> None:
        for kind, entries in _by_kind("add", value):
            if not isinstance(entries, dict):
                raise ChangeNotUnderstood(f"add/{kind}", 'send an object such as {"KEY": {"blocked": true}}.')
            for key, marks in entries.items():
                if not isinstance(marks, dict) or not _MARKS.issuperset(marks) or set(marks.values()) - {True, False}:
                    known = ", ".join(sorted(_MARKS))
                    raise ChangeNotUnderstood(f"add/{kind}/{key}", f"each of {known} may be true or false.")
                self.master[kind][key] = marks

    def remove_entries(self, value: Any) -> None:
        for kind, keys in _by_kind("remove", value):
            for key in _texts(f"remove/{kind}", keys):
                self.master[kind].pop(key, None)

    def as_json(self) -> dict[str, Any]:
        return {
            **self.master,
            "review_above": {currency: f"{amount:f}" for currency, amount in self.review_above.items()},
            "closed_periods": sorted(self.closed_periods),
            "honour_keys": self.honours_keys,
            "deduplicate_references": self.deduplicates_references,
        }


def _by_kind(name: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not set(KINDS).issuperset(value):
        raise ChangeNotUnderstood(name, f"send an object with {', '.join(KINDS)}.")
    return list(value.items())


def _periods(name: str, value: Any) -> set[str]:
    periods = _texts(name, value)
    if not all(_PERIOD.fullmatch(period) for period in periods):
        raise ChangeNotUnderstood(name, "write each period as year and month, such as 2026-11.")
    return set(periods)


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ChangeNotUnderstood(name, "send a list of texts.")
    return value


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ChangeNotUnderstood(name, "send true or false.")
    return value
