"""ETag and If-Match: a change is made only to the revision that the client saw."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from rest_framework.request import Request

from exceptions_app.actions.mover import lock
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem, header
from exceptions_app.models import ExceptionCase

_TAGS = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"(?:\s*,\s*(?:W/)?"[\x21\x23-\x7e]*")*')


def etag_of(case: ExceptionCase) -> str:
    """A strong tag: it changes with every change of the exception."""
    return f'"{case.revision}"'


@contextmanager
def as_seen(request: Request, case: ExceptionCase) -> Iterator[None]:
    """Hold the exception at the revision that If-Match names while the action runs; raises Problem with 412."""
    wanted = request.headers.get("If-Match", "").strip()
    if wanted in ("", "*"):
        yield
        return
    if not _TAGS.fullmatch(wanted):
        raise header("If-Match", "If-Match is not a list of entity tags.", f"Send {etag_of(case)}, with the quotes.")
    with transaction.atomic():
        current = lock(case.pk)
        # RFC 9110, 13.1.1: strong comparison, so that a weak tag never matches.
        if etag_of(current) not in [tag.strip() for tag in wanted.split(",")]:
            raise Problem(
                kinds.PRECONDITION_FAILED,
                f"{current.ref} is at revision {current.revision} now.",
                headers={"ETag": etag_of(current)},
                revision=current.revision,
            )
        yield
