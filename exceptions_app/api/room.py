"""How much may be handed in, told to senders: what is left, and when to come again.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10, with `messages` as the unit.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem, at, pointer_to
from integrations.models import Connection
from integrations.quotas import QuotaReached, policies_of, rate_of

NO_ROOM: Final = (kinds.QUOTA_REACHED, kinds.OVERLOADED)


def headers_of(connection: Connection, *, now: datetime, reached: QuotaReached | None = None) -> dict[str, str]:
    """`RateLimit-Policy` with every limit of the connection, `RateLimit` with what is known to be left."""
    policies = [
        f'"{name}";q={quota};qu="messages"' + (f";w={seconds}" if seconds else "")
        for name, (quota, seconds) in policies_of(connection).items()
    ]
    standing = []
    if reached is not None and not reached.installation:
        standing.append(f'"{reached.limit}";r=0;t={reached.retry_after}')
    elif (rate := rate_of(connection, at=now)) is not None:
        standing.append(f'"per-minute";r={rate.left};t={rate.seconds}')
    headers = {"RateLimit-Policy": ", ".join(policies)}
    return headers | {"RateLimit": ", ".join(standing)} if standing else headers


def problem_of(reached: QuotaReached, connection: Connection, *, now: datetime, steps: Sequence[object]) -> Problem:
    """`steps` lead to the message in the body."""
    kind = kinds.OVERLOADED if reached.installation else kinds.QUOTA_REACHED
    return Problem(
        kind,
        reached.problem,
        errors=[at(pointer_to(*steps), reached.problem, reached.remedy)],
        headers={"Retry-After": str(reached.retry_after)} | headers_of(connection, now=now, reached=reached),
        retry_after=reached.retry_after,
    )
