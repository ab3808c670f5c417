"""What a page shows of the exceptions that rows of a value mapping mend."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from exceptions_app.batch_states import MOST_ITEMS
from exceptions_app.queries.mapping_effect import Backtest, Mend, money_of_cases


@dataclass(frozen=True, slots=True)
class Effect:
    """What the form shows of a row that is not proposed yet."""

    mends: Sequence[Mend]
    backtest: Backtest | None  # None before the target value is typed

    @property
    def fit(self) -> list[Mend]:
        return [mend for mend in self.mends if not mend.refusal][:MOST_ITEMS]

    @property
    def beyond(self) -> bool:
        return len(self.mends) > MOST_ITEMS

    @property
    def refused(self) -> list[Mend]:
        return [mend for mend in self.mends if mend.refusal]

    @property
    def money(self) -> dict[str, Decimal]:
        return money_of_cases(mend.case for mend in self.fit)

    @property
    def revisions(self) -> dict[int, int]:
        return {mend.case.pk: mend.case.revision for mend in self.fit}
