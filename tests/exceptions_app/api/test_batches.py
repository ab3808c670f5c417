"""What became of a file as a whole, by the API."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.partly_rejected import cases_of, come_back
from workbench.models import User

pytestmark = pytest.mark.django_db

AsAccount = Callable[[User], Api]
Conforms = Callable[[Any, str], None]


def test_exception_tells_of_its_file_and_its_siblings(cast: Cast, api: AsAccount, conforms: Conforms):
    first, second = cases_of(come_back(cast, {"INV-1": "RJCT", "INV-3": "RJCT"}))

    document = api(cast.clerk).get(f"exceptions/{first.ref}").json()
    conforms(document, "ExceptionDetail")
    batch = document["batch"]
    assert batch["summary"] == "2 of 4 payments rejected; 2 accepted, 600.00 EUR; totals agree"
    assert (batch["totals_agree"], batch["findings"], batch["exceptions"]) == (True, [], [second.ref])
    assert batch["outcomes"]["rejected"] == {"count": 2, "sums": [{"amount": "400.00", "currency": "EUR"}]}


def test_message_without_a_rejection_is_told_to_who_works_there(cast: Cast, api: AsAccount, conforms: Conforms):
    message = come_back(cast, {f"INV-{number}": "ACCP" for number in range(1, 5)})

    document = api(cast.clerk).get(f"messages/{message.pk}").json()
    conforms(document, "MessageShape")
    assert (document["status"], document["exceptions"], document["batch"]["sent"]["count"]) == ("processed", [], 4)
    assert [found["id"] for found in api(cast.clerk).get("messages").json()["results"]] == ["file-1"]
    assert api(cast.outsider).get(f"messages/{message.pk}").status_code == 404


def test_message_that_came_alone_has_no_batch(cast: Cast, api: AsAccount, refused_invoice: Any):
    assert api(cast.clerk).get(f"exceptions/{refused_invoice.ref}").json()["batch"] is None
