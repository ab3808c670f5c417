"""What a page shows of the exceptions that rows of a value mapping mend."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from exceptions_app.mapping_states import MOST_MENDS
from exceptions_app.queries.mapping_effect import Backtest, Mend, Unjudged, money_of_cases


@dataclass(frozen=True, slots=True)
class Effect:
    """What the form shows of rows that are not proposed yet. `later` are looked at when their turn comes."""

    mends: Sequence[Mend]
    backtest: Backtest | None  # None before the target value is typed
    later: Sequence[Unjudged] = ()
    most: int = MOST_MENDS

    @property
    def fit(self) -> list[Mend]:
        return [mend for mend in self.mends if not mend.refusal][: self.most]

    @property
    def beyond(self) -> bool:
        return len(self.mends) + len(self.later) > self.most

    @property
    def refused(self) -> list[Mend]:
        return [mend for mend in self.mends if mend.refusal]

    @property
    def count(self) -> int:
        """How many go with the rows, as far as can be told now."""
        return len(self.revisions)

    @property
    def money(self) -> dict[str, Decimal]:
        return money_of_cases([*(mend.case for mend in self.fit), *self._to_come])

    @property
    def revisions(self) -> dict[int, int]:
        found = {mend.case.pk: mend.case.revision for mend in self.fit}
        return found | {case.number: case.revision for case in self._to_come}

    @property
    def _to_come(self) -> Sequence[Unjudged]:
        return self.later[: self.most - len(self.fit)]
