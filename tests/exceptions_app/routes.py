"""Every address of the pages and of the API, from the resolver, with what stands in it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.exceptions_app.everything import Arguments

# Django's administration is for accounts with staff status alone: `tests/workbench/test_admin.py`.
ELSEWHERE = frozenset({"admin"})
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Route:
    name: str
    pattern: str
    takes: tuple[str, ...]  # the names of what stands in the address
    methods: tuple[str, ...]

    @property
    def is_api(self) -> bool:
        return self.name.startswith("api:")

    @property
    def about(self) -> str:
        """What the address is about: its words before the first thing that it names."""
        words = re.split(r"/?[<(]", self.pattern.removeprefix("api/v1/"), maxsplit=1)[0]
        return "connections/field-maps" if "/field-maps/<" in self.pattern else words

    def address(self, arguments: Arguments) -> str:
        return reverse(self.name, kwargs={name: arguments[name] for name in self.takes})


def routes() -> list[Route]:
    return sorted(_routes(get_resolver().url_patterns, "", ""), key=lambda route: route.name)


def _routes(patterns: Iterable[Any], namespace: str, before: str) -> Iterator[Route]:
    for one in patterns:
        pattern = before + str(one.pattern).removeprefix("^").removesuffix("$")
        if isinstance(one, URLResolver):
            inner = one.namespace or namespace
            if inner not in ELSEWHERE:
                yield from _routes(one.url_patterns, inner, pattern)
        elif isinstance(one, URLPattern) and one.name:
            name = f"{namespace}:{one.name}" if namespace else one.name
            takes = tuple(one.pattern.regex.groupindex)
            yield Route(name, pattern, takes, tuple(_methods(one.callback)))


def _methods(view: Any) -> Iterator[str]:
    """Of the API those that it has; a page is asked with both that a browser sends."""
    for method in METHODS:
        if hasattr(view.cls, method.lower()) if hasattr(view, "cls") else method in ("GET", "POST"):
            yield method
