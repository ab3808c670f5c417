"""The pages of batches, without JavaScript."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from exceptions_app import replays
from exceptions_app.actions.batch_decide import approve_batch
from exceptions_app.models import ExceptionCase, ReplayBatch
from exceptions_app.states import Verb
from exceptions_app.views.replay_batch_forms import ProposeBatchForm
from tests.cast import MORNING, Cast, grant, person
from tests.exceptions_app.replay_batches.target import Target, propose_all, refused_cases, states_of
from workbench.models import User

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]


def text_of(response: object) -> str:
    return " ".join(response.content.decode().split())  # type: ignore[attr-defined]


def page(batch: ReplayBatch, action: str = "") -> str:
    return reverse(f"exceptions:batch_{action}" if action else "exceptions:batch", args=[batch.ref])


def test_list_of_the_queue_becomes_a_preview_and_the_preview_a_batch(cast: Cast, target: Target, signed_in: SignIn):
    cases = [*refused_cases(cast, 3), *refused_cases(cast, 1, first=9, wrong="It is.")]
    client = signed_in(cast.clerk)
    queue = text_of(client.get(reverse("exceptions:queue"), {"category": "transport", "sort": "oldest"}))
    assert f'href="{reverse("exceptions:batch_new")}?category=transport"' in queue

    shown = text_of(client.get(reverse("exceptions:batch_new"), {"category": "transport"}))
    assert "1 exception stays out" in shown
    assert "This version does not pass the scripted check. Correct what is listed first." in shown
    written = ProposeBatchForm.written({case.pk: case.revision for case in cases[:3]})
    assert f'value="{written}"' in shown

    [late] = refused_cases(cast, 1, first=20)
    answer = client.post(
        reverse("exceptions:batch_propose"),
        {"items": written, "because": "It is back.", "failure_limit": "5", "leave_out": [str(cases[1].pk)]},
    )
    batch = ReplayBatch.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page(batch))
    assert [item.case_id for item in batch.items.order_by("position")] == [cases[0].pk, cases[2].pk]
    late.refresh_from_db()
    assert late.state == "new"


def test_list_that_changed_since_the_preview_is_shown_again_with_what_was_typed(
    cast: Cast, target: Target, signed_in: SignIn
):
    [case] = refused_cases(cast, 1)
    answer = signed_in(cast.clerk).post(
        reverse("exceptions:batch_propose"),
        {"items": f"{case.pk}-7", "because": "It is back again.", "failure_limit": "5"},
    )
    assert answer.status_code == 409
    shown = text_of(answer)
    assert "Something in this list changed after it was shown." in shown
    assert "It is back again." in shown
    assert f'value="{case.pk}-{case.revision}"' in shown
    assert not ReplayBatch.objects.exists()


@pytest.mark.parametrize("items", ["", "x", "1-", "1-2;3"])
def test_list_that_cannot_be_read_is_refused(cast: Cast, target: Target, signed_in: SignIn, items: str):
    answer = signed_in(cast.clerk).post(
        reverse("exceptions:batch_propose"), {"items": items, "because": "Back.", "failure_limit": "5"}
    )
    assert answer.status_code == 422
    assert not ReplayBatch.objects.exists()


def test_approvals_show_a_batch_as_one_line_and_the_controller_approves_it(
    cast: Cast, target: Target, signed_in: SignIn
):
    batch = propose_all(cast, refused_cases(cast, 3))
    client = signed_in(cast.controller)
    approvals = text_of(client.get(reverse("exceptions:approvals")))
    assert approvals.count(f"{batch.ref} to Tax authority") == 1
    assert "INV-0001" not in approvals

    shown = text_of(client.get(page(batch)))
    assert "Approve the batch" in shown
    assert batch.frozen_sha256 in shown
    unticked = client.post(page(batch, "approve"), {"frozen_sha256": batch.frozen_sha256})
    assert unticked.status_code == 422
    assert "Confirm that you looked at the list. Nothing was approved." in text_of(unticked)
    answer = client.post(page(batch, "approve"), {"frozen_sha256": batch.frozen_sha256, "agreed": "on"})
    assert (answer.status_code, answer["Location"]) == (302, page(batch))
    batch.refresh_from_db()
    assert batch.state == "running"

    again = client.post(page(batch, "approve"), {"frozen_sha256": batch.frozen_sha256, "agreed": "on"})
    assert again.status_code == 409
    assert f"You approved {batch.ref} already." in text_of(again)
    typed, in_german = {"frozen_sha256": batch.frozen_sha256, "agreed": "on"}, {"Accept-Language": "de"}
    second = person("nina", "Nina Newcomer", role="controller")
    late = text_of(signed_in(second).post(page(batch, "approve"), typed, headers=in_german))
    assert f"Jemand war schneller: Conrad Controller hat {batch.ref} genehmigt." in late


def test_proposer_is_told_why_not_and_may_cancel(cast: Cast, target: Target, signed_in: SignIn):
    batch = propose_all(cast, refused_cases(cast, 2))
    client = signed_in(cast.clerk)
    shown = text_of(client.get(page(batch)))
    assert "You proposed this batch; someone else must decide." in shown
    assert "Approve the batch" not in shown
    refused = client.post(page(batch, "approve"), {"frozen_sha256": batch.frozen_sha256, "agreed": "on"})
    assert refused.status_code == 403
    empty = client.post(page(batch, "cancel"), {"because": " "})
    assert empty.status_code == 422
    assert client.post(page(batch, "cancel"), {"because": "Wrong day."}).status_code == 302
    batch.refresh_from_db()
    assert batch.state == "cancelled"


@pytest.mark.django_db(transaction=True)
def test_stopped_batch_says_where_and_why_and_is_resumed_from_its_page(cast: Cast, target: Target, signed_in: SignIn):
    cases = refused_cases(cast, 9)
    batch = propose_all(cast, cases)
    approve_batch(batch.pk, by=cast.controller, at=MORNING, frozen_sha256=batch.frozen_sha256)
    target.refuses["INV-0007"] = "NEW-1"
    replays.carry_out_due()
    client = signed_in(cast.controller)
    shown = text_of(client.get(page(batch)))
    assert "It stopped by itself" in shown
    assert "A new kind of error at item 7, NEW-1: NEW-1 refused." in shown
    assert "6 proven, 1 failed, 2 not sent yet" in shown
    failed = text_of(client.get(page(batch), {"items": "failed"}))
    assert "INV-0007" in failed
    assert failed.count('data-label="No."') == 1

    assert client.post(page(batch, "resume"), {"because": "The others may go."}).status_code == 302
    replays.carry_out_due()
    assert states_of(batch) == ["proven"] * 6 + ["failed"] + ["proven"] * 2
    assert "It ended, and some of its items are not proven." in text_of(client.get(page(batch)))
    listed = text_of(client.get(reverse("exceptions:batches"), {"show": "all"}))
    assert "8 proven, 1 failed" in listed


def test_exception_in_a_batch_says_so_on_its_page(cast: Cast, target: Target, signed_in: SignIn):
    cases = refused_cases(cast, 2)
    batch = propose_all(cast, cases)
    shown = text_of(signed_in(cast.controller).get(reverse("exceptions:case", args=[cases[1].ref])))
    assert f"Item 2 of 2 in batch {batch.ref}, which is awaiting approval." in shown


@pytest.mark.parametrize("name", ["batch", "batch_approve", "batch_cancel"])
def test_batch_with_an_item_that_one_may_not_see_is_as_if_it_were_not_there(
    cast: Cast, target: Target, signed_in: SignIn, name: str
):
    batch = propose_all(cast, [*refused_cases(cast, 1), *_in_germany(cast)])
    client = signed_in(cast.local_clerk)
    address = reverse(f"exceptions:{name}", args=[batch.ref])
    assert (client.get(address) if name == "batch" else client.post(address)).status_code == 404
    assert batch.ref not in text_of(client.get(reverse("exceptions:batches")))
    assert client.get(reverse("exceptions:batch", args=["B-x"])).status_code == 404
    grant(cast.local_clerk, [Verb.SEE], cast.germany)
    assert client.get(reverse("exceptions:batch", args=[batch.ref])).status_code == 200


def _in_germany(cast: Cast) -> list[ExceptionCase]:
    return refused_cases(cast, 1, first=50, entity=cast.germany)


def test_addresses_of_forms_lead_to_their_page_and_a_fragment_is_the_page_without_its_frame(
    cast: Cast, target: Target, signed_in: SignIn
):
    batch = propose_all(cast, refused_cases(cast, 1))
    client = signed_in(cast.controller)
    assert client.get(page(batch, "approve"))["Location"] == page(batch)
    assert client.get(reverse("exceptions:batch_propose"))["Location"] == reverse("exceptions:batch_new")
    fragment = text_of(client.get(page(batch), headers={"HX-Request": "true"}))
    assert fragment.startswith('<div id="batch"')
    assert "<html" not in fragment
