"""Sendings of unknown outcome through the API: asked again, and ended by two people."""

import base64
from collections.abc import Callable, Iterator

import pytest
from pytest_django.fixtures import Settings

from exceptions_app.models import Evidence, ExceptionCase
from exceptions_app.states import State
from tests.arrivals import configure
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from tests.exceptions_app.unknowing import of_unknown_outcome, silent_target, statement
from workbench.models import User

pytestmark = pytest.mark.django_db(transaction=True)
As = Callable[[User], Api]


@pytest.fixture
def case(cast: Cast, settings: Settings) -> Iterator[ExceptionCase]:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True
    with silent_target(cast):
        yield of_unknown_outcome(cast)


def test_statement_and_agreement_resolve_it(api: As, cast: Cast, case: ExceptionCase):
    proof = {"name": "mail.txt", "media_type": "text/plain", "base64": base64.b64encode(b"We have it.").decode()}
    body = {"reference": "CLR-9", "because": "Their desk wrote it.", "file": proof}
    answer = api(cast.clerk).post(f"exceptions/{case.ref}/confirm_booked", body)
    assert answer.status_code == 200, answer.json()
    shown = answer.json()["proposal"]
    kept = Evidence.objects.get()
    assert (shown["kind"], shown["evidence_sha256"]) == ("confirm_booked", kept.sha256)
    assert (kept.file_name, bytes(kept.content)) == ("mail.txt", b"We have it.")
    answer = api(cast.controller).post(f"exceptions/{case.ref}/approve", {"frozen_sha256": shown["frozen_sha256"]})
    assert (answer.json()["state"], answer.json()["reference"]) == (State.RESOLVED, "CLR-9")


def test_own_statement_cannot_be_agreed_to(api: As, cast: Cast, case: ExceptionCase):
    api(cast.clerk).post(f"exceptions/{case.ref}/declare_absent", {"because": "Their desk has nothing."})
    answer = api(cast.clerk).post(f"exceptions/{case.ref}/approve", {"frozen_sha256": statement(case).frozen_sha256})
    assert kind_of(answer) == (403, "not-permitted")


def test_missing_reference_is_named(api: As, cast: Cast, case: ExceptionCase):
    answer = api(cast.clerk).post(f"exceptions/{case.ref}/confirm_booked", {"because": "Seen."})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/reference"]


def test_asking_again_is_refused_where_nothing_can_be_asked(api: As, cast: Cast, case: ExceptionCase):
    answer = api(cast.clerk).post(f"exceptions/{case.ref}/ask_again", {})
    assert answer.status_code == 422
    assert "cannot be asked" in answer.json()["errors"][0]["detail"]
    configure(cast.connection, target_kind="")
    assert api(cast.clerk).post(f"exceptions/{case.ref}/ask_again", {}).status_code == 200
