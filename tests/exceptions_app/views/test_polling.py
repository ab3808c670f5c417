"""A page that was left open asks by itself until it is refused, or what it shows is over: then it is told to stop."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from audit.models import AuditEvent
from audit.queries import EventFilter
from exceptions_app.actions.export_start import start_export
from exceptions_app.views.polling import STATE_SEEN, STOPPED
from tests import factories
from tests.cast import Cast
from tests.exceptions_app.bulk_runs.runs import start
from tests.exceptions_app.replay_batches.target import Target, propose_all, refused_cases, target
from tests.exceptions_app.value_mappings.mapping import propose as propose_mapping
from workbench.models import User

__all__ = ["target"]
pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ASKING = {
    "_audit_made_progress.html", "_bulk_progress.html", "_case_header.html", "_case_presence.html",
    "_mapping_preparation.html", "_replay_batch_progress.html", "deep_link.html",
}  # fmt: skip
"""What asks by itself. A new one is added to the addresses below; `deep_link` is never refused: it answers 204."""


def test_page_that_is_refused_is_told_to_stop_and_says_so_once(
    cast: Cast, target: Target, signed_in: Callable[[User], Client]
):
    asking = {path.name for path in Path(settings.BASE_DIR, "templates").rglob("*.html") if polls(path)}
    assert asking == ASKING
    case = factories.make_case(cast)
    address = {name: reverse(f"exceptions:{name}", args=[case.ref]) for name in ("status", "presence")}
    address["presence"] += f"?of={cast.outsider.pk}"
    for name, thing in (
        ("bulk_run", start([case], by=cast.clerk, text="In the background.")),
        ("batch", propose_all(cast, refused_cases(cast, 2, first=10))),
        ("mapping_proposal", propose_mapping(cast)),
        ("audit_made", start_export(EventFilter(scopes=None), "csv", by=cast.auditor, at=now(), key=uuid4())),
    ):
        address[name] = f"{reverse(f'exceptions:{name}', args=[thing.ref])}?{STATE_SEEN}=running"
    browser = signed_in(cast.outsider)
    for number, (name, asked) in enumerate(address.items(), start=1):
        answer = browser.get(asked, headers=HTMX)
        swap = "delete" if name == "presence" else "none"
        assert (name, answer.status_code, answer["HX-Reswap"], answer.content) == (name, 286, swap, b"")
        assert json.loads(answer["HX-Trigger"])["toast"]["text"] == STOPPED
        # It is a refused attempt as any other, and what is no page that asks by itself gets the usual answer.
        told = AuditEvent.objects.filter(action="person.refused", actor="otto")
        assert (told.count(), told.latest("id").data["what"]) == (number, f"GET exceptions:{name}")
        other = browser.get(asked.partition("?")[0], headers=HTMX) if STATE_SEEN in asked else browser.get(asked)
        assert other.status_code == 404
    assert signed_in(cast.clerk).get(address["bulk_run"], headers=HTMX).status_code == 200


def test_presence_at_a_closed_exception_ends_when_there_is_nothing_more_to_tell(
    cast: Cast, signed_in: Callable[[User], Client]
):
    case = factories.make_case(cast)
    browser, address = signed_in(cast.clerk), reverse("exceptions:presence", args=[case.ref])

    def look(known: str = "") -> str:
        """What the page knows after this answer, and its status."""
        answer = browser.get(address, {"of": str(cast.clerk.pk), "known": known}, headers=HTMX)
        shows = re.search(r"known=([\w-]+)", answer.content.decode())
        return f"{answer.status_code} {shows[1] if shows else known}"

    open_status, _, known = look().partition(" ")
    assert (open_status, look(known)) == ("200", f"204 {known}")
    factories.dismiss(case, cast.clerk, approver=cast.controller)
    status, _, known = look(known).partition(" ")
    assert status in ("200", "286")
    assert look(known) == f"286 {known}"


def polls(template: Path) -> bool:
    return re.search(r'hx-trigger="[^"]*every ', template.read_text(encoding="utf-8")) is not None
