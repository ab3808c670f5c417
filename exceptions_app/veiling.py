"""The last thing that every answer passes: what the person may not see is masked in it, whatever view wrote it.

A view does not mask; it says, by asking for the exception, of which one it speaks (`views.scope`, `api.base`). So a
new page, fragment or address of the API is masked from its first day. Files are left as they are, since their bytes
are what they are for: each view that hands one out asks `may_have`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse

from exceptions_app import policies
from exceptions_app.field_classes import FieldClass, is_sensitive, sensitive_values
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.sensitive import shown_until, values_of
from exceptions_app.source_text import holds_masked
from exceptions_app.veil import Veil

_JSON: Final = frozenset({"application/json", "application/problem+json"})
# Where people read and change what they configured themselves: a mask in such a form would be saved.
_CONFIGURES: Final = re.compile(r"(?:field[-_]map|value_mapping|mapping_|view|use-field-map|try-field-map)")
_TEXTS: Final = frozenset({"text/html", "text/plain", "text/xml", "application/xml"})


def speaks_of(request: Any, case: ExceptionCase) -> ExceptionCase:
    """Note that the answer is about this exception; it was read `with_reveal`."""
    vars(_plain(request)).setdefault("spoken_of", {})[case.pk] = case
    return case


def speaks_of_document(request: Any, content: bytes) -> None:
    """Note that the answer repeats something of a document that belongs to no exception."""
    values = vars(_plain(request)).setdefault("spoken_values", {})
    values |= sensitive_values(content) or {}


def has_own_words(request: Any, texts: Iterable[str]) -> None:
    """Note what the person typed earlier: an account number that only they wrote is shown to them."""
    vars(_plain(request)).setdefault("own_words", []).extend(texts)


def never_shows(request: Any) -> None:
    """Note that this answer is masked for everybody, also while the values are revealed."""
    vars(_plain(request))["never_shows"] = True


def may_have(request: Any, case: ExceptionCase, content: bytes, *, is_answer: bool = False) -> bool:
    """Whether the person may have the very bytes of a file now: it holds nothing that is masked, or they see it.

    The answer of another system may be no document at all; then it is judged by the names and numbers in it.
    """
    holds = holds_masked(content) if is_answer else is_sensitive(content)
    return not holds or is_shown(request, case)


def is_shown(request: Any, case: ExceptionCase) -> bool:
    """Whether the person has the masked values of an exception shown at this moment."""
    if vars(case).get("revealed_until") is None:
        return False
    user = cast("AbstractUser", _plain(request).user)
    return shown_until(case, policies.verbs_of(user, case)) is not None


class VeilMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return veiled(request, self.get_response(request))


def veiled(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer with what the person may not see masked."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_file = "attachment" in response.headers.get("Content-Disposition", "")
    if response.streaming or is_file or media_type not in _JSON | _TEXTS or not response.content:
        return response
    before = response.content
    after = _masked(before, media_type, veil_for(request))
    if after != before:
        response.content = after
        if "Content-Length" in response.headers:
            response.headers["Content-Length"] = str(len(after))
    return response


def _masked(content: bytes, media_type: str, veil: Veil) -> bytes:
    if media_type in _JSON:
        return veil.json(content)
    text = content.decode("utf-8")
    return (veil.html(text) if media_type == "text/html" else veil.text(text)).encode()


def veil_for(request: HttpRequest) -> Veil:
    """What this answer may not show. A view whose answer is no text, such as a PDF, masks by it itself."""
    noted = vars(request)
    cases: dict[int, ExceptionCase] = noted.get("spoken_of", {})
    values: dict[str, FieldClass] = dict(noted.get("spoken_values", {}))
    values |= values_of(cases)
    is_about_one = len(cases) == 1 and "spoken_values" not in noted and not noted.get("never_shows", False)
    shows = is_about_one and is_shown(request, next(iter(cases.values())))
    return Veil(values, own_words=_own_words(request), shows=shows, finds_numbers=not _configures(request))


def _configures(request: HttpRequest) -> bool:
    """Whether the address shows configuration, such as a field map or a route, and nothing of an exception."""
    found = request.resolver_match
    if found is None:
        return False
    return found.app_name == "admin" or _CONFIGURES.match(found.url_name or "") is not None


def _own_words(request: HttpRequest) -> list[str]:
    """What was sent with this request, and what the page restores of the same person's earlier words."""
    sent = [value for name in request.GET for value in request.GET.getlist(name)]
    if request.method == "POST" and not request.path.startswith("/api/"):
        sent += [value for name in request.POST for value in request.POST.getlist(name)]
    return [*sent, *vars(request).get("own_words", ())]


def _plain(request: Any) -> HttpRequest:
    """Django's own request, also below that of the API."""
    plain: HttpRequest = getattr(request, "_request", request)
    return plain
