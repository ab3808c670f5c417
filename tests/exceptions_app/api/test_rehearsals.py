"""The rehearsals by HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.rehearsals import lane, make_rehearsal
from workbench.models import User

pytestmark = pytest.mark.django_db

As = Callable[[User], Api]


def test_rehearsals_newest_first(cast: Cast, api: As, conforms: Callable[[Any, str], None]):
    make_rehearsal(lane(doubled=133, failed={"one effect": ["x"]}), engine="naive")
    make_rehearsal(lane("askable", replays=700, effects=690, waiting_for_person=10))
    document = api(cast.controller).get("rehearsals").json()
    conforms(document, "RehearsalPage")
    newest, control = document["results"]
    assert (newest["engine"], newest["passed"], newest["replays"], newest["waiting_for_person"]) == (
        "workbench", True, 700, 10,
    )  # fmt: skip
    assert newest["kinds"][0]["effects"] == 690
    assert (control["engine"], control["passed"], control["doubled"]) == ("naive", False, 133)
    assert control["kinds"][0]["failed_checks"] == ["one effect"]


def test_rehearsals_none_for_who_neither_approves_nor_exports(cast: Cast, api: As):
    make_rehearsal()
    assert api(cast.support).get("rehearsals").json()["results"] == []
