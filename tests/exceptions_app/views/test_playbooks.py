"""What somebody types about a playbook: nothing of it is lost, and no version is replaced that they have not seen."""

import pytest
from django.utils.timezone import now

from exceptions_app.playbook_steps import Step, StepKind
from tests import factories
from tests.cast import Cast
from tests.exceptions_app.test_playbooks import write
from tests.exceptions_app.views.repair import text_of

pytestmark = pytest.mark.django_db


def test_what_was_typed_comes_back_and_replaces_no_version_unseen(cast: Cast, signed_in):
    case = factories.make_case(cast, opened_at=now())
    url, client = f"/causes/{case.cause.ref}/", signed_in(cast.clerk)
    client.get(url)
    steps = {f"kind_{number}": "comment" for number in range(1, 6)} | {"value_1": "Mine.", "value_5": "The last."}
    sent = steps | {"seen": "0", "because": "So it is done."}
    del client.cookies["sessionid"]
    assert client.post(f"{url}playbook_save/", sent)["Location"].endswith(url.replace("/", "%2F"))
    write(case, cast.second_clerk)
    client.force_login(cast.clerk)
    assert f'href="{url}playbook/">Go on with it' in client.get(url).content.decode()
    form = client.get(f"{url}playbook/").context["form"]
    assert {name: form[name].value() for name in sent} == sent
    late = client.post(f"{url}playbook_save/", sent)
    assert late.status_code == 409
    assert "Somebody else wrote a version of this playbook meanwhile" in text_of(late.content.decode())
    again = late.context["form"]
    assert {name: again[name].value() for name in sent} == {**sent, "seen": "1"}  # which they have been shown by now
    whole = {**sent, "seen": "1", **{f"value_{number}": "Next." for number in range(2, 5)}}
    assert client.post(f"{url}playbook_save/", whole).status_code == 302
    assert "Go on with it" not in client.get(url).content.decode()


def test_reason_of_a_decision_comes_back(cast: Cast, signed_in):
    case = factories.make_case(cast, opened_at=now())
    waits = write(case, cast.clerk, [Step(kind=StepKind.PROPOSE, value="Agreed.")])
    url, client = f"/causes/{case.cause.ref}/", signed_in(cast.controller)
    client.get(url)
    del client.cookies["sessionid"]
    sent = {"version": str(waits.pk), "verdict": "reject", "because": "Not like this."}
    client.post(f"{url}playbook_decide/", sent)
    client.force_login(cast.controller)
    page = client.get(f"{url}playbook/")
    assert {name: page.context["decide_form"][name].value() for name in sent} == sent
    assert page.context["failed_form"] is None
