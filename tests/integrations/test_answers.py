"""The ways in which a target turns a request away, told apart from what something in between may answer."""

import pytest

from integrations.answers import observation, turned_away
from integrations.connectors.base import AnswerKind, Presence, Throttle, WaitIn
from integrations.http import Exchange, Outcome

BY_HEADER = Throttle(429, "SLOW", WaitIn.RETRY_AFTER)
BY_RESET = Throttle(403, "QUOTA", WaitIn.RATE_LIMIT_RESET)
BY_TEXT = Throttle(400, "LIMIT", WaitIn.TEXT)
ALL = (BY_HEADER, BY_RESET, BY_TEXT)
NOON = {"date": "Sat, 21 Nov 2026 12:00:00 GMT"}
NOON_IN_SECONDS = 1795262400


def answered(status: int, **headers: str) -> Exchange:
    return Exchange(Outcome.ANSWERED, status, {name.replace("_", "-"): text for name, text in headers.items()})


def wait(sent: Exchange, code: str, text: str = "") -> float | None:
    answer = turned_away(sent, ALL, code=code, text=text, signed_out=frozenset())
    assert answer is not None
    assert (answer.kind, answer.not_sent) == (AnswerKind.NOT_SENT, True)
    return answer.retry_after


def test_wait_is_that_of_the_dialect() -> None:
    assert wait(answered(429, retry_after="7"), "SLOW") == 7
    assert wait(answered(403, x_ratelimit_reset=str(NOON_IN_SECONDS + 90), **NOON), "QUOTA") == 90
    assert wait(answered(400), "LIMIT", "Limit exceeded. Try again in 30 seconds.") == 30


def test_wait_is_counted_by_the_target_s_own_clock() -> None:
    """However far it is from ours."""
    assert wait(answered(403, x_ratelimit_reset=str(NOON_IN_SECONDS - 5), **NOON), "QUOTA") == 0


@pytest.mark.parametrize(
    ("sent", "code", "text"),
    [
        (answered(429), "SLOW", ""),
        (answered(403, x_ratelimit_reset="soon"), "QUOTA", ""),
        (answered(400), "LIMIT", "Limit exceeded."),
        (answered(400), "LIMIT", "Up to 30 requests in a minute."),
    ],
)
def test_target_that_does_not_say_how_long_leaves_it_to_us(sent: Exchange, code: str, text: str) -> None:
    assert wait(sent, code, text) is None


def test_endless_wait_ends_after_a_day() -> None:
    assert wait(answered(403, x_ratelimit_reset="999999999999", **NOON), "QUOTA") == 24 * 3600
    assert wait(answered(400), "LIMIT", "in 999999 seconds") == 24 * 3600


@pytest.mark.parametrize(("status", "code"), [(429, ""), (429, "QUOTA"), (403, ""), (400, "SLOW"), (503, "SLOW")])
def test_status_without_its_own_code_says_nothing(status: int, code: str) -> None:
    sent = answered(status, retry_after="1")

    assert turned_away(sent, ALL, code=code, text="", signed_out=frozenset({"EXPIRED"})) is None


def test_refused_sign_in_is_turned_away_only_by_its_code() -> None:
    expired = turned_away(answered(401), ALL, code="EXPIRED", text="", signed_out=frozenset({"EXPIRED"}))

    assert expired is not None
    assert (expired.kind, expired.turned_away) == (AnswerKind.MISCONFIGURED, True)
    assert turned_away(answered(401), ALL, code="", text="", signed_out=frozenset({"EXPIRED"})) is None


def test_throttled_look_up_waits_and_does_not_blame_the_connection() -> None:
    headers = answered(403, x_ratelimit_reset=str(NOON_IN_SECONDS + 9), **NOON)

    throttled = observation(Presence.UNANSWERED, headers, code="QUOTA", said="Wait.", throttles=ALL)
    forbidden = observation(Presence.UNANSWERED, headers, code="", throttles=ALL)

    assert (throttled.presence, throttled.retry_after, throttled.detail) == (Presence.UNANSWERED, 9, "Wait.")
    assert forbidden.presence is Presence.MISCONFIGURED
