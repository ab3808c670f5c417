"""What a document was at any time: the trail says which version by its SHA-256, and the bytes of that are kept."""

import hashlib
import random
from bisect import bisect_right
from datetime import datetime, timedelta

import pytest

from audit.models import AuditEvent
from exceptions_app.actions.correct import correct
from exceptions_app.models import ExceptionCase, PayloadVersion
from integrations.connectors.en16931 import connector
from tests.cast import MORNING, Cast
from tests.exceptions_app.actions.mending import take_in

pytestmark = [pytest.mark.django_db, pytest.mark.one_engine]
ITEMS, CORRECTIONS, PAIRS = 4, 5, 10_000


def corrected(cast: Cast, number: int) -> tuple[ExceptionCase, list[tuple[datetime, bytes]]]:
    """An exception, and what its document was from which time on, as it was read back then and there."""
    case = take_in(cast, f"INV-{number}", message=f"message-{number}")
    seen = [(MORNING, bytes(case.versions.get().content))]
    for step in range(1, CORRECTIONS + 1):
        at = MORNING + timedelta(minutes=7 * step + number)
        path = next(field.path for field in connector.read(seen[-1][1]).fields if field.term == "BT-2")
        operations = connector.operations_for(seen[-1][1], {path: f"2026-11-{step:02}"})
        correct(case.pk, by=cast.clerk, at=at, because="The order.", base_version=step, operations=operations)
        seen.append((at, bytes(case.versions.get(number=step + 1).content)))
    return case, seen


def by_the_trail(case: ExceptionCase) -> list[tuple[datetime, str]]:
    """From which time on which content, by the events alone."""
    events = AuditEvent.objects.filter(subject=case.subject, data__has_key="sha256").order_by("at", "id")
    return [(event.at, event.data["sha256"]) for event in events]


def at_time(history: list[tuple[datetime, bytes]] | list[tuple[datetime, str]], at: datetime) -> bytes | str:
    return history[bisect_right([since for since, _ in history], at) - 1][1]


def test_every_version_at_any_time_is_found_by_what_the_trail_says(cast: Cast):
    found = [corrected(cast, number) for number in range(ITEMS)]
    told = [by_the_trail(case) for case, _ in found]
    kept = {version.sha256: bytes(version.content) for version in PayloadVersion.objects.all()}
    assert {hashlib.sha256(content).hexdigest(): content for content in kept.values()} == kept
    assert [len(history) for history in told] == [CORRECTIONS + 1] * ITEMS
    chance = random.Random(8)  # noqa: S311 - the same pairs each time
    for _ in range(PAIRS):
        item = chance.randrange(ITEMS)
        at = MORNING + timedelta(seconds=chance.randrange(3_600))
        sha256 = str(at_time(told[item], at))
        assert kept[sha256] == at_time(found[item][1], at)
