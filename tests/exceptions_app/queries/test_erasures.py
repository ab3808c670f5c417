"""What is said of an erasure."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from exceptions_app.queries.erasures import Erasure


@pytest.mark.parametrize(("zone", "day"), [("UTC", "24.11.2026"), ("Europe/Berlin", "25.11.2026")])
def test_day_of_an_erasure_is_that_of_the_reader(zone: str, day: str):
    gone = Erasure(datetime(2026, 11, 24, 23, 30, tzinfo=UTC), "PU-1", "under policy RP-1")
    with timezone.override(zone):
        assert f"erased on {day} by PU-1" in gone.words
