"""Log lines on stdout: plain text for a terminal, JSON Lines for a collector; both carry the request id.

A line about a request that was refused or failed also says whose it was and from where, as far as that was asked.
"""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.utils.functional import SimpleLazyObject

from audit.account_numbers import without_account_numbers
from exceptions_app.callers import client_address

request_id: ContextVar[str] = ContextVar("request_id", default="")
_EVERY_NUDGE = ("celery.app.trace", "celery.worker.strategy", "celery.beat")


class RequestIDFilter(logging.Filter):
    """Give each record the id of the request during which it was written, or which it is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        about: Any = getattr(
            record, "request", None
        )  # Django gives it with what it says of an answer, when that is made
        known = getattr(about, "META", {}).get("REQUEST_ID", "")
        record.request_id = request_id.get() or known or "-"
        record.account, record.address = (_account_of(about), client_address(about)) if known else ("", "")
        return True


def _account_of(request: Any) -> str:
    """Whose request it was; nothing is asked of the database for that, which may be what failed."""
    user = vars(request).get("user")
    if isinstance(user, SimpleLazyObject):
        user = vars(request).get("_cached_user")
    return user.get_username() if user is not None else ""


class JSONFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": without_account_numbers(record.getMessage()),
        }
        line |= {name: said for name in ("account", "address") if (said := getattr(record, name, ""))}
        if record.exc_info:
            line["exception"] = without_account_numbers(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class PlainFormatter(logging.Formatter):
    """A line for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return without_account_numbers(super().format(record))


def configuration(*, as_json: bool, level: str) -> dict[str, object]:
    """Return Django's LOGGING setting."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "workbench.logs.RequestIDFilter"}},
        "formatters": {
            "plain": {
                "()": "workbench.logs.PlainFormatter",
                "format": "{asctime} {levelname} {name} [{request_id}] {message}",
                "style": "{",
            },
            "json": {"()": "workbench.logs.JSONFormatter"},
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "filters": ["request_id"],
                "formatter": "json" if as_json else "plain",
            }
        },
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            "django.server": {"handlers": ["stdout"], "level": "INFO", "propagate": False},
            # The sweeper rings every two seconds: a line for each nudge is 40 MB a day and tells nobody anything.
            **{name: {"level": "WARNING"} for name in _EVERY_NUDGE},
        },
    }
