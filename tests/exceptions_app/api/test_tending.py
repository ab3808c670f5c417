"""Intake failures and connections through the API: as on the pages, for those who look after them."""

from collections.abc import Callable
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from integrations.models import Connection, InboxMessage
from tests import factories
from tests.cast import Cast, person
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
WHY = {"because": "A test of the source."}


def failure(cast: Cast) -> InboxMessage:
    return factories.make_message(
        cast, status=InboxMessage.Status.FAILED, problem="It is no invoice.", remedy="Mend it."
    )


def test_failure_is_read_again(api: As, cast: Cast, conforms: Conforms) -> None:
    message = failure(cast)
    response = api(cast.clerk).post(f"messages/{message.pk}/read-again")
    conforms(response.json(), "MessageShape")
    assert (response.status_code, response.json()["status"]) == (200, "pending")


def test_failure_is_set_aside_with_its_reason(api: As, cast: Cast) -> None:
    message = failure(cast)
    account, address = api(cast.clerk), f"messages/{message.pk}/set-aside"
    assert kind_of(account.post(address)) == (422, "invalid-content")
    assert account.post(address, WHY).json()["status"] == "set_aside"
    twice = account.post(address, WHY)
    assert (kind_of(twice), twice.json()["state"]) == ((409, "not-possible-now"), "set_aside")


@pytest.mark.parametrize("action", ["read-again", "set-aside"])
def test_failure_is_not_for_everybody(api: As, cast: Cast, action: str) -> None:
    message = failure(cast)
    billing = person("billing", "Billing run")
    assign_perm("ingest_messages", billing, cast.connection)
    assert kind_of(api(billing).post(f"messages/{message.pk}/{action}", WHY if action == "set-aside" else {})) == (
        403, "not-permitted",
    )  # fmt: skip
    assert kind_of(api(cast.outsider).post(f"messages/{message.pk}/{action}", WHY)) == (404, "not-found")
    message.refresh_from_db()
    assert message.status == "failed"


def test_connection_is_paused_and_resumed(api: As, cast: Cast, conforms: Conforms) -> None:
    assign_perm("configure_connection", cast.administrator, cast.connection)
    account = api(cast.administrator)
    paused = account.post("connections/tax-authority/pause", {"because": "Maintenance."})
    conforms(paused.json(), "ConnectionShape")
    assert (paused.json()["paused_because"], Connection.objects.get().is_paused) == ("Maintenance.", True)
    assert account.post("connections/tax-authority/resume").json()["paused_at"] is None


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_connection_is_not_for_everybody(api: As, cast: Cast, action: str) -> None:
    body = {"because": "Because."} if action == "pause" else {}
    assert kind_of(api(cast.clerk).post(f"connections/tax-authority/{action}", body)) == (403, "not-permitted")
    assert kind_of(api(cast.outsider).post(f"connections/tax-authority/{action}", body)) == (404, "not-found")
    assert kind_of(api(cast.clerk).post(f"connections/no-such-one/{action}", body)) == (404, "not-found")
