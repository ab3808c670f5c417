"""The collection of `tests.injections` in every stored text, on every page in a real browser and in every export."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.contrib.staticfiles import finders
from django.db import transaction
from django.test import Client
from django.utils.timezone import now
from lxml import etree
from playwright.sync_api import Browser, Dialog, Page
from playwright.sync_api import Route as Asked

from audit import log
from audit.queries import EventFilter
from exceptions_app.actions import export_make
from exceptions_app.actions.export_start import start_export
from exceptions_app.queries.audit_exports import bytes_of
from tests import addresses
from tests.cast import MORNING, Cast
from tests.exceptions_app.access_table import PEOPLE, STATUSES
from tests.exceptions_app.everything import Everything, make_everything, scripted
from tests.exceptions_app.planted_texts import plant
from tests.exceptions_app.routes import Route, routes
from tests.injections import BY_KIND, ELSEWHERE, INJECTIONS, TOLD, WORKED_OUT
from workbench.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.one_engine]
READERS = ("clerk", "controller", "auditor", "administrator", "support")
HOST = "http://planted.example"
# The same lists with what they leave out at first, and the parts of an exception's page.
MORE: Mapping[str, tuple[str, ...]] = {
    "exceptions:case": ("tab=versions", "tab=attempts", "tab=arrivals"),
    "exceptions:queue": ("columns=amount,category,cause&density=compact",),
    "exceptions:notifications": ("show=all",),
    "exceptions:batches": ("show=all",),
    "exceptions:search": ("q=zq",),
}
# Pages that are shown to nobody who reads here, or lead on: what was typed, an emergency, another browser's sign-in.
NOT_LOOKED_AT = frozenset({"exceptions:compare", "exceptions:deep_link"})

# What a page would have of somebody else's making; each line a complaint.
EXAMINE = """([told, elsewhere, workedOut]) => {
  const found = [];
  const leads = new Set(["href", "src", "action", "formaction", "data", "poster", "xlink:href", "ping", "background"]);
  const say = (node, why) => found.push(`${why}: ${node.outerHTML.slice(0, 160)}`);
  const never = "iframe,object,embed,base,math,marquee,video,audio,foreignObject,animate,frame,applet";
  document.querySelectorAll(never).forEach((node) => say(node, "an element that no page has"));
  const loads = "script,style,link,meta[http-equiv]";
  document.querySelectorAll(loads).forEach((node) => {
    if (node.outerHTML.includes(told) && !/json/.test(node.type ?? "")) say(node, "made of data");
  });
  for (const node of document.querySelectorAll("*")) {
    for (const { name, value } of node.attributes) {
      if (/^on/i.test(name)) say(node, "a handler");
      if (name.includes(told)) say(node, "an attribute of data");
      if (/^(data-)?hx-/.test(name) && (/^hx-on/.test(name) || value.includes(`//${elsewhere}`) || value === "/zq"))
        say(node, "htmx of data");
      if (name === "style" && value.includes(told)) say(node, "a style of data");
      if (leads.has(name)) {
        let to;
        try { to = new URL(value, document.baseURI); } catch { continue; }
        const isLink = ["http:", "https:", "mailto:"].includes(to.protocol);
        if (!isLink || to.host === elsewhere) say(node, "leads elsewhere");
      }
    }
  }
  if (document.documentElement.textContent.includes(workedOut)) found.push("a template was worked out");
  return found;
}"""


@dataclass(frozen=True, slots=True)
class Got:
    """What one person was answered."""

    who: str
    route: Route
    address: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]

    def __str__(self) -> str:
        return f"{self.who} {self.address}"


@pytest.fixture
def world(cast: Cast) -> Iterator[Everything]:
    with scripted():
        yield make_everything(cast)


def read_all(cast: Cast, world: Everything, signed_in: Callable[[User], Client]) -> list[Got]:
    """Each address of pages and API as the first of the readers who is let in gets it, by the table of who is."""
    browsers = {who: signed_in(getattr(cast, who)) for who in READERS}
    found = []
    for route in routes():
        arguments = world.there.get(route.about, {})
        who = reader_of(route)
        if who is None or not set(route.takes) <= set(arguments):
            continue
        address = route.address(arguments)
        asked = [address, *(f"{address}?{query}" for query in MORE.get(route.name, ()))]
        found += [got for one in asked if (got := ask(browsers[who], who, route, one)) is not None]
    return found


def reader_of(route: Route) -> str | None:
    """About their own account everybody may read; of the rest the table says it."""
    if "GET" not in route.methods:
        return None
    if route.pattern.startswith("accounts/"):
        return "administrator" if route.name == "services" else "clerk"
    statuses = dict(zip(PEOPLE, STATUSES[f"GET {route.name}"].split(), strict=False))
    return next((who for who in READERS if statuses.get(who) == "200"), None)


def ask(browser: Client, who: str, route: Route, address: str) -> Got | None:
    answer: Any = browser.get(address)
    assert answer.status_code < 500, f"{who} {address}"
    if answer.status_code != 200:
        return None
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return Got(who, route, address, 200, dict(answer.headers.items()), bytes(body))


def judged_by_itself(got: Got) -> list[str]:
    """What needs no browser: whatever is no page says so to browsers, and each format can be read."""
    wrong = [f"{got}: header {name}" for name in got.headers if TOLD in name.lower()]
    if any("\r" in value or "\n" in value for value in got.headers.values()):
        wrong.append(f"{got}: a header of two lines")
    if got.headers.get("X-Content-Type-Options") != "nosniff":
        wrong.append(f"{got}: may be taken for something else")
    if got.kind == "text/csv":
        wrong += [f"{got}: {cell!r} is computed" for cell in computed_in(got.body)]
    elif got.kind == "application/json":
        json.loads(got.body)
    elif "xml" in got.kind and not got.headers.get("Content-Disposition", "").startswith("attachment"):
        wrong.append(f"{got}: a document of others is shown as a page")
    return wrong


def computed_in(table: bytes) -> list[str]:
    """Cells that a spreadsheet would take for a formula, and rows that data cut in two."""
    rows = list(csv.reader(io.StringIO(table.decode("utf-8-sig"), newline=""), strict=True))
    cells = [cell for row in rows for cell in row if re.match(r"[\s\u200b\ufeff'\"]*[=+\-@＝＋－＠−]", cell)]
    computed = [cell for cell in cells if not cell.startswith("'") and not re.fullmatch(r"-?\d+(\.\d+)?", cell)]
    return computed + [str(row) for row in rows if len(row) != len(rows[0])]


@dataclass
class Looking:
    """A browser at pages that were answered before, which asks nobody else."""

    page: Page
    pages: dict[str, Got] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    at: str = ""

    def open(self) -> None:
        self.page.on("dialog", self.dismiss)
        self.page.on("console", lambda said: self.hear(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.at}: {error}"))
        self.page.context.route("**/*", self.answer)

    def dismiss(self, dialog: Dialog) -> None:
        self.complaints.append(f"{self.at}: a dialog")
        dialog.dismiss()

    def hear(self, said: str) -> None:
        if "Content Security Policy" in said or "Content-Security-Policy" in said:
            self.complaints.append(f"{self.at}: {said}")

    def answer(self, asked: Asked) -> None:
        url = urlsplit(asked.request.url)
        if url.scheme in ("data", "blob"):
            asked.continue_()
        elif f"{url.scheme}://{url.netloc}" != HOST:
            self.complaints.append(f"{self.at}: asks {asked.request.url}")
            asked.abort()
        elif url.path.startswith("/static/"):
            there = finders.find(url.path.removeprefix("/static/"))
            asked.fulfill(path=there) if there else asked.fulfill(status=404)
        elif asked.request.is_navigation_request() and url.path + (f"?{url.query}" if url.query else "") == self.at:
            got = self.pages[self.at]
            kept = {name: value for name, value in got.headers.items() if name.lower() != "content-length"}
            asked.fulfill(status=200, headers=kept, body=got.body)
        else:
            asked.fulfill(status=204)

    def look(self, got: Got) -> None:
        self.at = got.address
        self.pages[got.address] = got
        self.page.goto(HOST + got.address, wait_until="load")
        said = self.page.evaluate(EXAMINE, [TOLD, ELSEWHERE, WORKED_OUT])
        self.complaints += [f"{got}: {complaint}" for complaint in said]


@pytest.fixture
def looking(browser: Browser) -> Iterator[Looking]:
    context = browser.new_context(service_workers="block")
    seen = Looking(context.new_page())
    seen.open()
    yield seen
    context.close()


def look_at_all(looking: Looking, answered: Sequence[Got]) -> None:
    pages = [got for got in answered if got.kind == "text/html"]
    known = {got.route.name for got in pages} | NOT_LOOKED_AT
    missing = {name for name in addresses.pages() if name.startswith("exceptions:") and name not in known}
    assert missing == set(), "no reader was shown these"
    began = monotonic()
    for got in pages:
        looking.look(got)
    print(f"{len(pages)} pages looked at in {monotonic() - began:.0f} s")


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_nothing_planted_is_more_than_a_text(
    cast: Cast, world: Everything, signed_in: Callable[[User], Client], looking: Looking
):
    """Each text begins with another injection, and holds as many as there is room for."""
    began = monotonic()
    planted = plant()
    answered = read_all(cast, world, signed_in)
    print(f"{planted} texts of {len(INJECTIONS)} injections, {len(answered)} answers in {monotonic() - began:.0f} s")
    seen = "\n".join(got.body.decode(errors="replace") for got in answered)
    assert planted > 450
    assert seen.count(TOLD) > 2000, "what is planted is not shown, and nothing was tried"
    wrong = [complaint for got in answered for complaint in judged_by_itself(got)]
    look_at_all(looking, answered)
    assert wrong + looking.complaints == []


def test_exports_of_the_trail_hold_texts_alone(cast: Cast):
    """Each injection in the summary, the reason and the data of an event."""
    entries = [
        log.Entry(
            action="case.commented", subject=f"case:EX-{number}", scope="NL01/e-invoicing", actor="clara", at=MORNING,
            summary=text, because=text, data={"counterparty": text, text: 1}, correlation_id=f"zq-{number}",
        )
        for number, text in enumerate(INJECTIONS)
    ]  # fmt: skip
    with transaction.atomic():
        log.record_many(entries)
    by, filters = cast.auditor, EventFilter(scopes={"NL01/e-invoicing"})
    made = {form: start_export(filters, form, by=by, at=now(), key=uuid4()) for form in ("csv", "xlsx", "jsonl")}
    export_make.carry_on_due()
    files = {}
    for form, export in made.items():
        export.refresh_from_db()
        assert (export.state, export.rows) == ("done", len(INJECTIONS)), export.problem
        files[form] = b"".join(bytes_of(export))
    assert computed_in(files["csv"]) == []
    lines = [json.loads(line) for line in files["jsonl"].decode().removesuffix("\n").split("\n")]
    assert sum(line.get("action") == "case.commented" for line in map(flat, lines)) == len(INJECTIONS)
    with zipfile.ZipFile(io.BytesIO(files["xlsx"])) as workbook:
        sheets = [etree.fromstring(workbook.read(name)) for name in workbook.namelist() if "sheets/" in name]
    assert sum(float(str(sheet.xpath("count(//*[local-name()='row'])"))) for sheet in sheets) == len(INJECTIONS) + 1
    assert [sheet.xpath("//*[local-name()='f' or local-name()='hyperlink']") for sheet in sheets] == [[]] * len(sheets)


def flat(line: dict[str, Any]) -> dict[str, Any]:
    """An event as a line has it, whatever it is wrapped in."""
    return next((value for value in line.values() if isinstance(value, dict) and "action" in value), line)


CONTROLS = [
    *(("an attribute", f'<p title="{one}">x</p>') for one in BY_KIND["attribute"][0:3:2]),
    ("an attribute", f"<p title='{BY_KIND['attribute'][1]}'>x</p>"),
    *(("a text", f"<p>{one}</p>") for one in BY_KIND["HTML"][6:10]),
    *(("htmx", f'<p title="{one}">x</p>') for one in BY_KIND["htmx"][:1]),
    ("a link", f'<a href="{BY_KIND["URL"][0]}">x</a>'),
    ("a sum", f"<p>{WORKED_OUT}</p>"),
]


@pytest.mark.nightly
@pytest.mark.parametrize(("what", "written"), CONTROLS)
def test_looking_finds_what_is_not_escaped(looking: Looking, what: str, written: str):
    [route] = [route for route in routes() if route.name == "exceptions:queue"]
    body = f"<!DOCTYPE html><title>x</title>{written}".encode()
    looking.look(Got("clerk", route, "/queue/", 200, {"Content-Type": "text/html"}, body))
    assert looking.complaints, what


def test_collection_has_of_each_kind_what_is_asked_for():
    assert len(set(INJECTIONS)) == len(INJECTIONS) >= 150
    assert {kind: len(them) for kind, them in BY_KIND.items() if len(them) < 5} == {}
    assert [one for one in INJECTIONS if WORKED_OUT in one] == []
