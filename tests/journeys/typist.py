"""A person with a keyboard alone: what they press is counted, and how long the server took to answer it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles

from playwright.sync_api import Page, Request

ASKED_FOR = frozenset({"document", "xhr", "fetch"})


@dataclass(slots=True)
class Work:
    """Keys pressed, each letter of a text being one, and the server's time for each answer in milliseconds."""

    keys: int = 0
    answers: list[float] = field(default_factory=list)

    def told(self, words: str, *, cases: int) -> str:
        slowest = quantiles(self.answers, n=20)[-1] if len(self.answers) > 1 else sum(self.answers)
        return (
            f"{words}: {cases} exceptions with {self.keys} keys, {self.keys / cases:.1f} each; "
            f"{len(self.answers)} answers of the server, {sum(self.answers) / self.keys:.1f} ms for a key, "
            f"{sum(self.answers) / len(self.answers):.0f} ms for an answer (95 %: {slowest:.0f} ms)"
        )


class Typist:
    """Every key is pressed once the page is there, which no person is faster than."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.work = Work()
        page.on("requestfinished", self._note)

    @contextmanager
    def at_work(self) -> Iterator[Work]:
        """What is done from now on is counted apart."""
        self.work = Work()
        yield self.work

    def press(self, *keys: str) -> None:
        self.page.wait_for_load_state()
        for key in keys:
            self.page.keyboard.press(key)
        self.work.keys += len(keys)

    def write(self, text: str) -> None:
        self.page.keyboard.type(text)
        self.work.keys += len(text)

    def _note(self, request: Request) -> None:
        """From the last byte of the question to the first of the answer."""
        timing = request.timing
        if request.resource_type in ASKED_FOR and timing["responseStart"] >= 0:
            self.work.answers.append(timing["responseStart"] - timing["requestStart"])
