"""Who asks, and what they may see: the first line of every view of one exception."""

from typing import cast

from django.contrib.auth.models import AbstractUser
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from exceptions_app.models import ExceptionCase
from exceptions_app.queries.reach import Reach, cases_within, reach_of
from exceptions_app.queries.sensitive import with_reveal
from exceptions_app.veiling import speaks_of

RELATED = ("queue", "entity", "connection", "assignee", "cause", "follows", "snoozed_by")


def person(request: HttpRequest) -> AbstractUser:
    """The signed-in person, for views that let nobody else in."""
    return cast("AbstractUser", request.user)


def reach_for(request: HttpRequest) -> Reach:
    """What the person may do anywhere, read once per request: grants that change meanwhile hold from the next one."""
    kept = vars(request)
    if "reach" not in kept:
        kept["reach"] = reach_of(person(request))
    reach: Reach = kept["reach"]
    return reach


def visible_case(request: HttpRequest, ref: str) -> ExceptionCase:
    """The exception, when its queue and legal entity are granted to the person; else 404, as if it were not there."""
    # With subqueries of grants the database would plan for longer than it reads.
    cases = cases_within(reach_for(request)).select_related(*RELATED)
    return speaks_of(request, get_object_or_404(with_reveal(cases.with_ref(ref), person(request))))


def visible_revision(request: HttpRequest, ref: str) -> int:
    """The revision of such an exception and nothing else of it; else 404."""
    visible = ExceptionCase.objects.visible_to(request.user).with_ref(ref)
    revision = visible.values_list("revision", flat=True).first()
    if revision is None:
        raise Http404
    return revision
