"""ETag and If-Match (RFC 9110, 8.8.3 and 13.1.1): a change is made only to the revision that the client saw."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from rest_framework.request import Request

from exceptions_app.actions.mover import lock
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem, header
from exceptions_app.models import ExceptionCase

ANY = "*"
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(_TAG)
# Empty elements of a list are read and ignored, as the RFC asks of whoever receives them; one tag there must be.
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")


class NoEntityTags(ValueError):
    """The text is no value of If-Match."""


@dataclass(frozen=True, slots=True)
class Precondition:
    """Which revisions will do: those with one of these tags, or any when there are none to choose from (`*`)."""

    tags: frozenset[str] | None

    @classmethod
    def parse(cls, text: str) -> "Precondition":
        """Read the value of an If-Match header; raises NoEntityTags."""
        text = text.strip(" \t")
        if text == ANY:
            return cls(None)
        if not _LIST.fullmatch(text):
            raise NoEntityTags(text)
        return cls(frozenset(_TAGS.findall(text)))

    def hold(self, case: ExceptionCase) -> None:
        """Lock the exception at one of the revisions until the transaction ends; raises Problem with 412."""
        if self.tags is None:
            return
        current = lock(case.pk)
        # Strong comparison (RFC 9110, 8.8.3.2): ours are strong, so a weak one in the list equals none of them.
        if etag_of(current) not in self.tags:
            raise Problem(
                kinds.PRECONDITION_FAILED,
                f"{current.ref} is at revision {current.revision} now.",
                headers={"ETag": etag_of(current)},
                revision=current.revision,
            )


def etag_of(case: ExceptionCase) -> str:
    """A strong tag: it changes with every change of the exception."""
    return f'"{case.revision}"'


def precondition_of(request: Request, case: ExceptionCase) -> Precondition:
    """What If-Match asks; raises Problem with 400 for what is none, and with 428 when it is missing and required."""
    return _precondition(request, etag_of(case))


def require_etag(request: Request, etag: str) -> None:
    """The same for what is at `etag` now, and raises Problem with 412 when If-Match names another state."""
    tags = _precondition(request, etag).tags
    if tags is not None and etag not in tags:
        raise Problem(kinds.PRECONDITION_FAILED, f"It is at {etag} now.", headers={"ETag": etag})


def _precondition(request: Request, etag: str) -> Precondition:
    sent = request.headers.get("If-Match")
    if sent is None:
        if settings.API_REQUIRE_IF_MATCH:
            raise Problem(kinds.PRECONDITION_REQUIRED)
        return Precondition(None)
    try:
        return Precondition.parse(sent)
    except NoEntityTags:
        remedy = f"Send {etag}, with the quotes."
        raise header("If-Match", "If-Match is not a list of entity tags.", remedy) from None


@contextmanager
def as_seen(precondition: Precondition, case: ExceptionCase) -> Iterator[None]:
    """Hold the exception at a revision that will do while the action runs; raises Problem with 412."""
    if precondition.tags is None:
        yield
        return
    with transaction.atomic():
        precondition.hold(case)
        yield
