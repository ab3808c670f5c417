"""An amount that can be read two ways is told both, each written so that it is read one way alone."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from exceptions_app.amounts import read_amount
from exceptions_app.two_amounts import read_two_ways
from exceptions_app.views.kept_rule_forms import KeptRuleForm
from exceptions_app.wording import shown


@pytest.mark.parametrize(
    ("typed", "language", "ways"),
    [
        ("50,000", "en", ("50,000.00", "50.00")),
        ("50,000", "de", ("50.000,00", "50,00")),
        ("1.125", "en", ("1,125.00", "1.1250")),
        ("1.125", "de", ("1.125,00", "1,1250")),
    ],
)
def test_both_ways_are_named_and_each_is_clear(typed, language, ways):
    amount = read_amount(typed)
    assert amount is not None
    with translation.override(language):
        told = shown(read_two_ways(typed, amount))
    assert [way for way in ways if way not in told] == []
    assert tuple(read_amount(way).values for way in ways) == tuple((value,) for value in amount.values)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("50,000", "“50,000” can be read two ways. Write 50,000.00 or 50.00."),
        ("many", "Write an amount such as 10,000.00."),
        ("100 EUR", "Write an amount such as 10,000.00."),
    ],
)
def test_rule_says_why_it_does_not_take_an_amount(typed, says):
    form = KeptRuleForm(None)
    form.cleaned_data = {"above": typed}
    with pytest.raises(ValidationError) as refused:
        form.clean_above()
    assert refused.value.messages == [says]
    form.cleaned_data = {"above": "50,000.00"}
    assert form.clean_above() == Decimal(50_000)
