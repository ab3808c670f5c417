"""What each reason adds to the score of an exception: here and nowhere else, each with why.

A score is for the order of a list and not a probability. The steps are few, so that a person can reckon a score by
hand, and the sum of all is about 120. Of equal ones the older comes first.
"""

from decimal import Decimal
from typing import Final

STATUTORY: Final = ((0, 40), (1, 40), (2, 30), (3, 20), (7, 15))
"""Days left → points. A missed legal deadline cannot be bought back, so on its last day it outweighs any amount."""

DUE: Final = ((0, 20), (1, 16), (2, 12), (5, 6))
"""Business days left until the payment is due or the bank has to have it. Late is interest and an angry supplier."""

DISCOUNT: Final = ((0, 12), (1, 10), (3, 6), (5, 3))
"""Business days left until a cash discount ends. It is money that is lost for sure, but little of the amount."""

MONEY: Final = ((Decimal(1_000_000), 25), (Decimal(100_000), 20), (Decimal(10_000), 12), (Decimal(1_000), 5))
"""From this amount in the currency of the group on → points. By orders of magnitude: twice the money is not twice the
urgency, and a list by amount alone would never reach the small ones."""

WAITING: Final = 4
MOST_WAITING: Final = 12
"""For each transaction that is not delivered before this one is, up to a few: it holds up others."""

AGE: Final = 1
MOST_AGE: Final = 10
"""For each business day since it came in: nothing small waits for ever, and no deadline is overtaken."""

RATE_HOLDS: Final = 7
"""Days for which a published rate is used: none comes over long weekends, and an old one would be a guess."""
