"""Each piece is unplugged under a steady trickle: what was accepted ends as it should, what was refused was told so.

`WB_UNPLUG_SECONDS=60` keeps each piece away for a minute instead of five seconds; `-s` shows the report.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.sftp_server import sftp_server
from tests.unplug.judge import Judgement, wait_until_calm
from tests.unplug.pieces import DISK, LOOK_SECONDS, NO_ANSWER_SECONDS, PROCESSES, Look, look, unplugged
from tests.unplug.plant import Plant
from tests.unplug.report import Line, table
from tests.unplug.site import Site
from tests.unplug.told import Item
from tests.unplug.trickle import Trickle
from tests.unplug.ways import Approval, Way, all_ways

SECONDS = float(os.environ.get("WB_UNPLUG_SECONDS", "5"))
pytestmark = [pytest.mark.unplug, pytest.mark.xdist_group("unplug"), pytest.mark.timeout(900 + 5 * SECONDS)]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    directory = Path(tempfile.mkdtemp(prefix="wb-unplug-", dir="/tmp"))
    plant = Plant(directory, API_REQUESTS_PER_MINUTE="1000000")
    try:
        with sftp_server(directory) as sftp:
            plant.start()
            yield Site.set_up(plant, sftp)
    finally:
        plant.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def ways(site: Site) -> list[Way]:
    return all_ways(site)


@pytest.fixture(scope="module")
def lines() -> Iterator[list[Line]]:
    kept: list[Line] = []
    yield kept
    print(f"\n{table(kept)}")


@pytest.fixture(scope="module")
def cookies(site: Site) -> dict[str, str]:
    """Of a person who is signed in."""
    with requests.Session() as session:
        address = f"{site.plant.url}/accounts/login/"
        session.get(address, timeout=60)
        form = {"username": "clerk", "password": "demo-clerk-2026", "csrfmiddlewaretoken": session.cookies["csrftoken"]}
        assert session.post(address, data=form, headers={"Referer": address}, timeout=60).ok
        return dict(session.cookies)


@pytest.mark.parametrize("piece", [*PROCESSES, DISK])
def test_piece_unplugged(site: Site, ways: list[Way], lines: list[Line], cookies: dict[str, str], piece: str):
    if piece == DISK and not site.plant.has_own_disk:
        pytest.skip("The disk was NOT filled: this machine refuses the user and mount namespaces for a small disk.")
    prepare(ways)
    with Trickle(ways) as trickle, unplugged(site.plant, piece, seconds=SECONDS) as outage:
        seen = look(site.plant, cookies, seconds=NO_ANSWER_SECONDS if piece == "web" else LOOK_SECONDS)
    wait_until_calm(site, trickle.items, seconds=SECONDS)
    lines.append(Line(piece, SECONDS, trickle.items, calm_after=time.monotonic() - outage.ended_at))
    judgement = Judgement(site)
    assert judgement.find_faults(trickle.items) == []
    assert_told_sensibly(piece, seen)


def test_nothing_came_of_nothing(site: Site, ways: list[Way], lines: list[Line]):
    """After all of it: what is there is what was sent, each once, and nothing else."""
    items: list[Item] = [item for line in lines for item in line.items]
    left = [reference for way in ways if isinstance(way, Approval) for reference in way.not_approved()]
    judgement = Judgement(site)
    assert judgement.find_faults(items) == []
    assert judgement.find_unsent(items, besides=left) == []


def prepare(ways: list[Way]) -> None:
    for way in ways:
        if isinstance(way, Approval):
            way.prepare(int(SECONDS * way.per_second) + 2)


def assert_told_sensibly(piece: str, seen: Look) -> None:
    """What the installation said of itself while the piece was away."""
    assert "Traceback" not in seen.page_text
    everything = {"ready": True, "database": "ok", "broker": "ok"}
    expected = {
        "web": (0, {}, 0),
        "worker": (200, everything, 200),
        "beat": (200, everything, 200),
        "simulator": (200, everything, 200),
        "valkey": (200, everything | {"broker": "unreachable"}, 200),
        "postgres": (200, everything | {"ready": False, "database": "unreachable"}, 503),
    }
    if piece == DISK:
        assert seen.live == 200
        assert seen.page in {200, 503, 507}
    else:
        assert (seen.live, seen.ready, seen.page) == expected[piece]
