"""Which pages are pictured, in the order of a day's work, and the page of the documentation that shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.journeys.places import LEDGER, Place

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
PAGE = ROOT / "docs" / "pictures.md"
SCHEMES = ("light", "dark")
MOST_BYTES = 3_500_000


@dataclass(frozen=True, slots=True)
class Shot:
    """`keys` are pressed before it is taken. `phone`: in a narrow window too."""

    name: str
    title: str
    shows: str
    place: Place
    keys: Sequence[str] = ()
    phone: bool = False

    def file(self, scheme: str, *, phone: bool = False) -> Path:
        return IMAGES / f"{self.name}{'-phone' if phone else ''}-{scheme}.webp"


def _shot(
    name: str, title: str, shows: str, who: str, address: str, *way: str,
    query: str = "", keys: Sequence[str] = (), phone: bool = False,
) -> Shot:  # fmt: skip
    place = Place(who, address, tuple(f"exceptions:{one}" for one in way), query)
    return Shot(name, title, shows, place, keys, phone)


SHOTS = (
    _shot("sign-in", "Signing in", "With the accounts of the demonstration.", "", "/accounts/login/"),
    _shot("my-queue", "My queue", "What I have, and what I could take next.", "clerk", "/"),
    _shot(
        "queue", "All queues", "Invoices, journals and payments in one list, each with what is wrong and its money.",
        "controller", "/queue/", phone=True,
    ),
    _shot(
        "exception", "An exception", "What is wrong in plain words, the correction and what may be done.",
        "clerk", "/search/?q=INV-2026-0417", phone=True,
    ),
    _shot(
        "palette", "Go anywhere", "One box for numbers, places and what this page can do.",
        "clerk", "/queue/", keys=("Control+k", "a", "p"),
    ),
    _shot("causes", "Causes", "What many exceptions have in common, one line each.", "clerk", "/causes/"),
    _shot("playbook", "A playbook", "What to do about a cause, in steps with ready actions.",
          "accountant", "/playbooks/", "playbook"),
    _shot("keys", "Keys", "All of them; single letters can be switched off.", "clerk", "/keys/"),
    _shot("search", "Search", "By number in any spelling, name, reference or amount.", "clerk", "/search/?q=van loon"),
    _shot(
        "approvals", "Approvals", "What waits for a second person, the largest amounts first.",
        "controller", "/approvals/",
    ),
    _shot(
        "decision", "A decision", "What changes, and what is sent when it is approved.",
        "controller", "/queue/?state=awaiting_approval&object_type=invoice", "case",
    ),
    _shot(
        "attempts", "What became of it", "Each attempt with the target's answer and its reference.",
        "clerk", "/queue/?state=resolved&object_type=invoice", "case", query="?tab=attempts",
    ),
    _shot("batch", "A batch", "Many replays, decided as one list.", "accountant", "/batches/?show=all", "batch"),
    _shot("mappings", "Value mappings", "Which value of a target belongs to a value of a source.",
          "accountant", "/mappings/"),
    _shot("mapping", "A proposed mapping", "One decision for the rows and the exceptions that they mend.",
          "controller", "/approvals/", "mapping_proposal"),
    _shot("transactions", "Transactions", "What was handed over for delivery.", "clerk", "/transactions/"),
    _shot("transaction", "A transaction", "From what came in to what was sent.", "clerk", "/transactions/",
          "transaction"),
    _shot("effects", "Effects", "What was decided, and whether it stands at its target once.",
          "controller", "/effects/"),
    _shot("intake-failures", "Intake failures", "What could not be read, with its original.",
          "accountant", "/intake-failures/"),
    _shot("connections", "Connections", "The systems on both sides, and how they do.", "accountant", "/connections/"),
    _shot("connection", "A connection", "What it promises, where it leads, what went out last.", "accountant", LEDGER),
    _shot("field-map", "A field map", "From the source's fields to those of the target, tried out before use.",
          "accountant", "/connections/crm/field-maps/", "field_map"),
    _shot("audit", "Audit", "Every step of everybody, chained and sealed.", "auditor", "/audit/"),
    _shot("exports", "Exports", "The trail and evidence, made in the background and signed.", "auditor",
          "/audit/exports/"),
    _shot("routing-rules", "Routing rules", "Queue and priority of what arrives, kept by two people.", "administrator",
          "/routing-rules/"),
    _shot("access", "Access", "Who may do what where, since when, given by whom, last used when.", "administrator",
          "/access/"),
    _shot("retention", "Retention", "How long what is closed is kept, and what no policy lets go.", "administrator",
          "/retention/"),
    _shot("api", "API", "Everything by HTTP, described on its own page.", "clerk", "/api/docs/"),
)  # fmt: skip


def documentation() -> str:
    """The text of `docs/pictures.md`."""
    return "\n".join(_HEAD + [line for shot in SHOTS for line in _part(shot)])


_HEAD = [
    "# Pictures",
    "",
    "The pages of the demonstration, in the light and in the dark. Dates, times and hashes are those of the day on",
    "which they were taken; documents, people and amounts are always the same. They are taken anew, and this page is",
    "written, by",
    "",
    "```sh",
    ".venv/bin/python -m tests.pictures            # all; with names, those: … tests.pictures queue approvals",
    "```",
    "",
    "It starts an installation of its own, fills it, and needs Chromium as the tests do.",
    "",
]


def _part(shot: Shot) -> list[str]:
    lines = [f"## {shot.title}", "", shot.shows, ""]
    for phone in (False, True) if shot.phone else (False,):
        alternative = f"{shot.title}, on a telephone" if phone else shot.title
        files = [(scheme, shot.file(scheme, phone=phone).name) for scheme in SCHEMES]
        lines += [*(f"![{alternative}, {scheme}](images/{name})" for scheme, name in files), ""]
    return lines
