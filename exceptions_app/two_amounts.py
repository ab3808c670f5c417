"""What is said of an amount whose only separator may group thousands or begin the decimals."""

from decimal import Decimal

from exceptions_app.amounts import TypedAmount
from exceptions_app.templatetags.presentation import format_amount
from exceptions_app.wording import Said, say

_AS_LONG_AS_A_GROUP = 3


def read_two_ways(typed: str, amount: TypedAmount) -> Said:
    """Both of its amounts, each as the reader writes it so that it can be read one way alone."""
    text = typed.strip()[:60]
    first, second = (_spelt(value) for value in amount.values)
    return say("“{typed}” can be read two ways. Write {first} or {second}.", typed=text, first=first, second=second)


def _spelt(value: Decimal) -> str:
    """With other than three decimals, which could be a group."""
    shown = format_amount(value, currency="")
    exponent = value.normalize().as_tuple().exponent
    return f"{shown}0" if exponent == -_AS_LONG_AS_A_GROUP else shown
