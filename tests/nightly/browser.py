"""A person at the pages of an installation, without JavaScript: opens them, sends forms, and how long it took."""

import threading
import time
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

ANSWER_SECONDS = 120


class _Forms(HTMLParser):
    """The forms of a page that are sent by POST: address, and what is filled in already in hidden fields."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._open = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = given.get("method", "") == "post"
            if self._open:
                self.found.append((given.get("action", ""), {}))
        elif tag == "input" and self._open and given.get("type") == "hidden":
            self.found[-1][1][given.get("name", "")] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


class Browser:
    """One person's. What they opened is measured, in one thread or several."""

    def __init__(self, base: str, cookie: str) -> None:
        self.base = base
        self.seconds: list[float] = []
        self.statuses: list[int] = []
        self._cookie = cookie
        self._of_thread = threading.local()

    @property
    def _session(self) -> requests.Session:
        """That of the thread, with the cookies of what it opened."""
        if not hasattr(self._of_thread, "session"):
            session = self._of_thread.session = requests.Session()
            session.trust_env = False
            name, _, value = self._cookie.partition("=")
            session.cookies.set(name, value)
        kept: requests.Session = self._of_thread.session
        return kept

    def open(self, path: str) -> requests.Response:
        return self._measured("GET", f"{self.base}{path}", {})

    def send(self, page: requests.Response, typed: dict[str, str], *, action: str = "") -> requests.Response:
        """Fill in the first form of a page whose address ends so, and follow where it leads."""
        forms = [found for found in _Forms(page.text).found if _is_of_the_page(found[0]) and found[0].endswith(action)]
        address, hidden = forms[0]
        return self._measured("POST", urljoin(page.url, address), hidden | typed)

    def _measured(self, method: str, url: str, data: dict[str, str]) -> requests.Response:
        began_at = time.monotonic()
        answer = self._session.request(method, url, data=data, timeout=ANSWER_SECONDS)
        self.seconds.append(time.monotonic() - began_at)
        self.statuses.append(answer.status_code)
        return answer


def _is_of_the_page(address: str) -> bool:
    """Not one of the forms in the head of every page."""
    return "/mappings/" in address or "/mapping-proposals/" in address
