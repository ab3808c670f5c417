"""What a page says in its headings, so that none of them is left in English where the page is in German."""

from html.parser import HTMLParser
from typing import Any

from django.test import Client

GERMAN: dict[str, Any] = {"HTTP_ACCEPT_LANGUAGE": "de"}
_HEADINGS = frozenset({"h1", "h2", "h3", "th", "dt", "caption", "legend", "label", "summary", "button"})
# What both languages call by the same word.
ALIKE = frozenset({"Code", "Cursor", "Deutsch", "English", "Name", "Problem", "SHA-256", "System", "Token", "Version"})


class _Headings(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._inside: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in _HEADINGS:
            self._inside.append([])

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._inside[-1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in _HEADINGS and self._inside:
            text = " ".join("".join(self._inside.pop()).split())
            self.found |= {text} if any(sign.isalpha() for sign in text) else set()


def headings(page: str) -> set[str]:
    parser = _Headings()
    parser.feed(page)
    return parser.found


def left_in_english(client: Client, address: str, *, names: frozenset[str] = frozenset()) -> set[str]:
    """Headings that the German page has in common with the English one, but for names and words that are alike."""
    pages = []
    for asked in ({}, GERMAN):
        response = client.get(address, **asked)
        assert response.status_code == 200, address
        pages.append(response.content.decode())
    english, german = pages
    assert '<html lang="de"' in german
    assert headings(german)
    return (headings(english) & headings(german)) - ALIKE - names
