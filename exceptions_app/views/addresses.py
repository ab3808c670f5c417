"""The address of a list holds all of its state, so each link is the current address with something changed."""

from django.http import HttpRequest

PLACE = ("after", "before")


def address(request: HttpRequest, **changes: str) -> str:
    """This list with other parameters, from its first page; an empty value leaves the parameter out."""
    query = request.GET.copy()
    for name, value in {**dict.fromkeys(PLACE, ""), **changes}.items():
        query[name] = value
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return f"{request.path}?{query.urlencode()}" if query else request.path
