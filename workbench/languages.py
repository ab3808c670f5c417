"""In which language a page is, and the catalogues of words that it is read from.

English is the language of the sources, of the database, of the audit trail and of everything that programs are told.
What is translated is translated where a page shows it, so nothing that is kept depends on who was looking.
"""

import logging
import os
import tempfile
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers

log = logging.getLogger(__name__)

ENGLISH = "en"
IN_ENGLISH = ("/api/", "/hooks/", "/scim/", "/oauth/", "/admin/", "/livez", "/readyz")
"""Programs, what their authors read, and the administration: its forms write their words into the trail."""


class LanguageMiddleware(LocaleMiddleware):
    """The language that was chosen in this browser, or else the one that the browser asks for."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path.startswith(IN_ENGLISH):
            super().process_request(request)
            return
        translation.activate(ENGLISH)
        request.LANGUAGE_CODE = ENGLISH

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        # What was streamed or shown belongs to the language it was asked for in, whatever is in force by now.
        language = getattr(request, "LANGUAGE_CODE", ENGLISH)
        response.headers.setdefault("Content-Language", language)
        if not request.path.startswith(IN_ENGLISH):
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
        translation.activate(ENGLISH)
        return response


def compile_catalogues(sources: Path, into: Path) -> None:
    """Make what gettext reads of every catalogue that is another than what was made of it before.

    What is made gets the time of its source, since a release may be unpacked with times that are older. Several
    processes may do so at once: each puts a whole file into its place. Where nothing can be written, what was made
    before is used, or English.
    """
    for source in sorted(sources.glob("*/LC_MESSAGES/*.po")):
        made = (into / source.relative_to(sources)).with_suffix(".mo")
        try:
            if not made.exists() or made.stat().st_mtime_ns != source.stat().st_mtime_ns:
                _compile(source, made)
        except OSError:
            log.warning("The catalogue %s could not be made at %s.", source, made, exc_info=True)


def _compile(source: Path, made: Path) -> None:
    with source.open("rb") as text:
        its = os.fstat(text.fileno())
        catalogue = read_po(text, locale=source.parent.parent.name, abort_invalid=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=made.parent, prefix=".made-")
    try:
        with os.fdopen(number, "wb") as file:
            write_mo(file, catalogue)
        Path(name).chmod(0o644)
        os.utime(name, ns=(its.st_atime_ns, its.st_mtime_ns))
        Path(name).replace(made)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
