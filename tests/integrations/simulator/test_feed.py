import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import requests

from integrations.pull_settings import RestSettings, read_settings
from tests.simulator_process import RunningSimulator

ROOT = Path(__file__).parents[3]


def read(simulator: RunningSimulator, **query: str) -> dict[str, Any]:
    answer = simulator.get("/feed/items", **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def numbers(simulator: RunningSimulator, **query: str) -> list[int]:
    return [item["sequence"] for item in read(simulator, **query)["items"]]


def items(number: int) -> list[dict[str, Any]]:
    return [{"payload": {"place": place}} for place in range(number)]


def test_feed_is_read_page_by_page_and_the_cursor_stays_at_its_end(simulator: RunningSimulator):
    assert read(simulator) == {"items": [], "next_cursor": "0"}
    simulator.change_feed(add=items(3))
    first = read(simulator, limit="2")
    assert first["items"][0] == {"id": "feed-1", "payload": {"place": 0}, "sequence": 1}
    assert first["next_cursor"] == "2"
    assert (numbers(simulator, cursor="2"), read(simulator, cursor="3")) == ([3], {"items": [], "next_cursor": "3"})


def test_numbers_are_skipped_come_late_are_repeated_and_lost(simulator: RunningSimulator):
    simulator.change_feed(add=items(4), skip=2)
    assert numbers(simulator) == [3, 4]
    simulator.change_feed(late=[2])
    simulator.change_feed(repeat=[3], lose=[1])
    assert numbers(simulator) == [3, 4, 2, 3]
    assert numbers(simulator, **{"from": "1", "to": "3"}) == [2, 3]


def test_what_was_skipped_can_be_asked_for(simulator: RunningSimulator):
    simulator.change_feed(add=items(3), skip=1)
    assert (numbers(simulator), numbers(simulator, **{"from": "1", "to": "1"})) == ([2, 3], [1])


def test_restart_forgets_no_item_and_reset_all(simulator: RunningSimulator):
    simulator.change_feed(add=items(3), skip=1)
    simulator.change_feed(late=[1])
    simulator.restart()
    assert numbers(simulator) == [2, 3, 1]
    simulator.reset()
    assert numbers(simulator) == []


def test_next_answers_are_as_asked_for(simulator: RunningSimulator):
    simulator.change_feed(answer=429, times=2, retry_after=7)
    answers = [simulator.get("/feed/items") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"


def test_token_is_asked_for(simulator: RunningSimulator):
    assert requests.get(simulator.feed_url, timeout=30).status_code == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ad": []}, "ad"), ({"add": [{"id": "a"}]}, "add"), ({"add": {}}, "add"), ({"skip": -1}, "skip"),
        ({"late": [9]}, "late"), ({"repeat": [9]}, "repeat"), ({"answer": "no"}, "answer"),
    ],
)  # fmt: skip
def test_change_that_cannot_be_made_is_refused_at_its_field(
    simulator: RunningSimulator, change: dict[str, Any], field: str
):
    answer = requests.post(f"{simulator.url}/control/feed", json=change, timeout=30)
    assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (400, field)
    assert requests.get(f"{simulator.url}/control/feed", timeout=30).json()["items"] == 0


def test_cursor_that_is_none_is_refused(simulator: RunningSimulator):
    assert simulator.get("/feed/items", cursor="x").status_code == 422


def test_documented_example_fills_the_feed_and_prints_settings_that_a_source_takes(
    simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    [example] = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "simulator.md").read_text(), re.MULTILINE | re.DOTALL
    )
    started = {"environment": {"WB_SIMULATOR_URL": simulator.url, "SIMULATOR_TOKEN": "the token"}}
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "state.json").write_text(json.dumps(started))
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)

    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(example, {})  # noqa: S102 - what the documentation tells people to run

    settings, secret = (line.partition(": ")[2] for line in printed.getvalue().splitlines())
    found = read_settings("rest", json.loads(settings))
    assert isinstance(found, RestSettings)
    assert (found.url, found.sequence, secret) == (f"{simulator.url}/feed/items", "/sequence", "the token")
    assert simulator.get("/control/feed").json() == {"items": 2, "last": 3, "held": [1]}
    assert read(simulator)["items"][0]["refusal"]["media_type"] == "application/xml"
