"""What a bank's reason code means here: ISO 20022 ExternalStatusReason1Code, in categories and plain words.

The words are our own. A code that the lists do not hold, and every proprietary one, keeps the bank's text and goes to
a person as unclassified.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from integrations.connectors.iso20022 import order_reasons, payment_reasons
from integrations.connectors.iso20022.reason_groups import About, ReasonGroup
from integrations.refusals import Category


@dataclass(frozen=True, slots=True)
class Reason:
    """One code. `about` is the part of the payment that it speaks of; `plain` is empty when only the text says more."""

    code: str
    category: Category
    sub: str
    auto_retry: bool
    plain: str
    about: About = About.PAYMENT


def reason_of(code: str) -> Reason | None:
    """What a code means, or None when it is not one of the published list."""
    return REASONS.get(code.strip().upper())


def _read(groups: tuple[ReasonGroup, ...]) -> Iterator[tuple[str, Reason]]:
    for group in groups:
        for code, words in group.codes.items():
            yield code, Reason(code, group.category, group.sub, group.auto_retry, words, group.about)


REASONS: Final[Mapping[str, Reason]] = MappingProxyType(
    {**dict(_read(payment_reasons.GROUPS)), **dict(_read(order_reasons.GROUPS))}
)
# A repeat: what the bank has already may be this very payment, so it is looked up before anything else.
DUPLICATES: Final = frozenset(code for code, reason in REASONS.items() if reason.category is Category.DUPLICATE)
