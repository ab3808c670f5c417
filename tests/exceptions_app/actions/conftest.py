import pytest

from exceptions_app.models import ExceptionCase
from tests.cast import Cast
from tests.exceptions_app.actions.mending import take_in


@pytest.fixture
def refused_invoice(cast: Cast) -> ExceptionCase:
    """An invoice without its issue date, refused by the official validator and read by the real intake."""
    return take_in(cast)
