"""A system's own list of what it has booked: by the time of booking, page by page.

`GET …/booked?since=&until=&cursor=&limit=` answers the rows of [since, until) in the order of booking, and `next`, the
cursor of the page after them, which is empty on the last one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from integrations.simulator.ledger import Record
from integrations.simulator.replies import Reply, json_reply
from integrations.simulator.routes import Refused, Request

MOST, USUAL = 1_000, 200

Problem = Callable[[int, str, str], Reply]


def booked_page(
    request: Request, effects: Sequence[Record], *, name: str, told: Callable[[Record], Record], problem: Problem
) -> Reply:
    """One page of `effects`, each as `told`, under `name`; raises Refused for a question that is none."""
    since, until = (_time(request, field, problem) for field in ("since", "until"))
    begin, limit = _number(request, "cursor", 0, problem), _number(request, "limit", USUAL, problem)
    found = [
        (place, effect)
        for place, effect in enumerate(effects[begin:], start=begin)
        if since <= datetime.fromisoformat(effect["at"]) < until
    ]
    shown = found[: min(max(limit, 1), MOST)]
    following = str(shown[-1][0] + 1) if len(found) > len(shown) else ""
    return json_reply(200, {name: [told(effect) for _, effect in shown], "next": following})


def _time(request: Request, field: str, problem: Problem) -> datetime:
    try:
        time = datetime.fromisoformat(request.query.get(field, ""))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise Refused(problem(400, "QUESTION_INCOMPLETE", f"{field}: write a time with its offset from UTC."))
    return time


def _number(request: Request, field: str, usual: int, problem: Problem) -> int:
    text = request.query.get(field, "") or str(usual)
    if not text.isascii() or not text.isdigit():
        raise Refused(problem(400, "QUESTION_INCOMPLETE", f"{field}: write a whole number."))
    return int(text)
