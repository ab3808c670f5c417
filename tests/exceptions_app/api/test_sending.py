"""Stops and maintenance through the API: as on the pages, for those who may configure."""

from collections.abc import Callable
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from integrations.models import MaintenanceWindow, SendingStop
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
WHY = {"because": "Wrong tax rates go out."}
TIMES = {"starts_at": "2020-03-31T20:00:00Z", "ends_at": "2099-03-31T23:00:00Z", "because": "New server."}
WINDOWS = "connections/tax-authority/maintenance-windows"


def test_all_sending_is_stopped_and_resumed(api: As, cast: Cast, conforms: Conforms) -> None:
    account = api(cast.administrator)
    stopped = account.post("sending/stop", WHY)
    conforms(stopped.json(), "StopShape")
    assert (stopped.json()["stopped"], stopped.json()["stopped_by"]) == (True, "ada")
    assert api(cast.clerk).get("sending").json()["because"] == WHY["because"]
    assert account.post("sending/resume").json()["stopped"] is False
    assert SendingStop.objects.get().lifted_by == "ada"


@pytest.mark.parametrize("action", ["stop", "resume"])
def test_stop_is_not_for_everybody(api: As, cast: Cast, action: str) -> None:
    assert kind_of(api(cast.clerk).post(f"sending/{action}", WHY)) == (403, "not-permitted")
    assert not SendingStop.objects.exists()


def test_maintenance_is_planned_listed_told_and_cancelled(api: As, cast: Cast, conforms: Conforms) -> None:
    assign_perm("configure_connection", cast.support, cast.connection)
    account = api(cast.support)
    planned = account.post(WINDOWS, TIMES)
    conforms(planned.json(), "WindowShape")
    number = planned.json()["number"]
    assert [window["number"] for window in account.get(WINDOWS).json()["results"]] == [number]
    detail = account.get("connections/tax-authority").json()
    conforms(detail, "ConnectionDetail")
    assert detail["hold"]["held_by"] == "maintenance"
    assert account.post(f"{WINDOWS}/{number}/cancel").json()["cancelled_at"] is not None
    assert account.get(WINDOWS).json()["results"] == []
    assert account.post("connections/tax-authority/send-again").json() == {"hold": None}


def test_maintenance_that_cannot_be_is_refused_at_its_field(api: As, cast: Cast) -> None:
    assign_perm("configure_connection", cast.support, cast.connection)
    refused = api(cast.support).post(WINDOWS, TIMES | {"ends_at": "2019-03-31T20:00:00Z"})
    assert kind_of(refused) == (422, "invalid-content")
    assert refused.json()["errors"][0]["pointer"] == "/ends_at"


def test_maintenance_is_not_for_everybody(api: As, cast: Cast) -> None:
    assert kind_of(api(cast.clerk).post(WINDOWS, TIMES)) == (403, "not-permitted")
    assert kind_of(api(cast.outsider).post(WINDOWS, TIMES)) == (404, "not-found")
    assert kind_of(api(cast.clerk).post(f"{WINDOWS}/1/cancel")) == (404, "not-found")
    assert kind_of(api(cast.clerk).post("connections/tax-authority/send-again")) == (403, "not-permitted")
    assert not MaintenanceWindow.objects.exists()
