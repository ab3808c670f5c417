"""What the person may do anywhere, for the page and for what surrounds it."""

from django.http import HttpRequest

from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.views.scope import person


def reach_for(request: HttpRequest) -> Reach:
    """Read once per request: grants that change meanwhile hold from the next one."""
    kept = vars(request)
    if "reach" not in kept:
        kept["reach"] = reach_of(person(request))
    reach: Reach = kept["reach"]
    return reach
