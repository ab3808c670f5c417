"""Typed readers for environment variables. A missing or malformed value stops the start and says what to write."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


def text(name: str, *, default: str = "") -> str:
    """Return the variable without surrounding blanks; an empty variable counts as not set."""
    return os.environ.get(name, "").strip() or default


def required(name: str, *, write: str) -> str:
    """Return the variable, or the content of the file that NAME_FILE names; refuse when neither is set."""
    value = secret(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. Set {name} (or {name}_FILE) to {write}.")
    return value


def secret(name: str) -> str:
    """Return a secret from NAME, or from the file named by NAME_FILE (Docker, Kubernetes and systemd credentials)."""
    file_name = text(f"{name}_FILE")
    if not file_name:
        return text(name)
    if text(name):
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set. Keep one of them.")
    try:
        value = Path(file_name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"{name}_FILE names {file_name}, which cannot be read: {error}. "
            f"Write the path of a readable text file, or set {name} itself."
        ) from error
    if not value:
        raise ImproperlyConfigured(f"{name}_FILE names {file_name}, which is empty. Write the secret into it.")
    return value


def boolean(name: str, *, default: bool) -> bool:
    """Return a truth value; 1/true/yes/on and 0/false/no/off are understood, anything else is refused."""
    value = text(name).lower()
    if not value:
        return default
    if value in TRUE_WORDS:
        return True
    if value in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is not a truth value. Write true or false.")


def integer(name: str, *, default: int, minimum: int = 0) -> int:
    """Return a whole number that is at least ``minimum``."""
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        number = minimum - 1
    if number < minimum:
        raise ImproperlyConfigured(f"{name}={value!r} is not usable. Write a whole number of at least {minimum}.")
    return number


def words(name: str, *, default: list[str] | None = None) -> list[str]:
    """Return a list from a comma separated value."""
    return [word.strip() for word in text(name).split(",") if word.strip()] or list(default or [])


def mapping(name: str) -> dict[str, str]:
    """Return a JSON object of texts; names of groups may hold commas and equal signs."""
    value = text(name)
    try:
        read = json.loads(value) if value else {}
    except ValueError:
        read = None
    if not isinstance(read, dict) or not all(isinstance(part, str) for part in read.values()):
        raise ImproperlyConfigured(f'{name} is not usable. Write a JSON object of texts, such as {{"group": "role"}}.')
    return read


def some(name: str, options: tuple[str, ...]) -> list[str]:
    """Return those of ``options`` that a comma separated value names; none when it is empty."""
    named = words(name)
    strange = sorted(set(named) - set(options))
    if strange:
        raise ImproperlyConfigured(f"{name} names {', '.join(strange)}. Write some of: {', '.join(options)}.")
    return named


def choice(name: str, options: tuple[str, ...], *, default: str) -> str:
    """Return one of ``options``."""
    value = text(name, default=default)
    if value not in options:
        raise ImproperlyConfigured(f"{name}={value!r} is not known. Write one of: {', '.join(options)}.")
    return value


def database(url: str, *, name: str) -> dict[str, Any]:
    """Turn a PostgreSQL URL, read exactly as libpq reads it, into Django's connection settings.

    ``name`` is the variable the URL came from; it appears in the refusal, the URL does not, since it holds a password.
    """
    if urlsplit(url).scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured(
            f"{name} is not a PostgreSQL URL. Write postgresql://USER:PASSWORD@HOST:5432/DATABASE."
        )
    try:
        options = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError:
        raise ImproperlyConfigured(
            f"{name} cannot be read. Write postgresql://USER:PASSWORD@HOST:5432/DATABASE, "
            "with special characters percent-encoded."
        ) from None  # libpq quotes the part that it could not read, which may be the password
    if not options.get("dbname"):
        raise ImproperlyConfigured(f"{name} names no database. Write postgresql://USER:PASSWORD@HOST:5432/DATABASE.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": options.pop("dbname"),
        "USER": options.pop("user", ""),
        "PASSWORD": options.pop("password", ""),
        "HOST": options.pop("host", ""),
        "PORT": options.pop("port", ""),
        "OPTIONS": options,
    }


def celery_broker(url: str) -> str:
    """Return the broker URL that Celery wants for a Redis URL: it spells Unix sockets in its own way."""
    parts = urlsplit(url)
    if parts.scheme in {"redis", "rediss"}:
        return url
    if parts.scheme != "unix" or not parts.path:
        raise ImproperlyConfigured(
            "REDIS_URL is not usable. Write redis://HOST:6379/0, rediss://… or unix:///PATH?db=0."
        )
    database_number = dict(parse_qsl(parts.query)).get("db", "0")
    return f"redis+socket://{parts.path}?virtual_host={database_number}"
