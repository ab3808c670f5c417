"""What a batch changes, by meaning: groups with money, what stands out, a sample, and who looked at what."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.queries import timeline
from exceptions_app.actions.batch_decide import approve_batch, reject_batch
from exceptions_app.models import BatchItem, BatchLook, ExceptionCase, ReplayBatch
from exceptions_app.queries import batch_changes
from exceptions_app.queries.batch_changes import Changes, changes_of
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.replay_batches.target import propose_all, refused_cases, target
from tests.exceptions_app.replay_batches.test_pages import SignIn, page, text_of
from tests.factories import make_case, make_version

__all__ = ["target"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("target")]


def changed(label: str, was: str, will_be: str, *, path: str = "") -> dict[str, str]:
    path = path or f"/{label}"
    return {"term": "", "label": label, "group": "Document", "path": path, "was": was, "will_be": will_be}


def cases_with(
    cast: Cast, amounts: list[str], *changes: dict[str, str], first: int = 1, **more: Any
) -> list[ExceptionCase]:
    """Exceptions of these amounts, each corrected like this."""
    cases = refused_cases(cast, len(amounts), first=first)
    for case, amount in zip(cases, amounts, strict=True):
        ExceptionCase.objects.filter(pk=case.pk).update(amount=amount, **more)
        if changes:
            make_version(case, cast.clerk, changes=changes)
    return cases


def told(changes: Changes) -> list[tuple[list[tuple[str, str, str]], int]]:
    """Of each group what it changes, and how many."""
    return [
        ([(change.label, change.was, change.will_be) for change in group.changes], group.number)
        for group in changes.groups
    ]


def test_items_are_grouped_by_the_fields_that_they_change_with_money_by_currency(cast: Cast):
    account, name = changed("Account", "", "800400"), changed("Buyer", "Loon", "Van Loon")
    accounts = cases_with(cast, ["10", "20.5", "30"], account)
    ExceptionCase.objects.filter(pk=accounts[2].pk).update(currency="PLN")
    both = cases_with(cast, ["40"], account, name, first=11)
    plain = cases_with(cast, ["50"], first=21)
    undone = cases_with(cast, ["60"], account, first=31)
    make_version(undone[0], cast.clerk, changes=[changed("Account", "800400", "")])
    changes = changes_of(propose_all(cast, [*accounts, *both, *plain, *undone]))

    assert told(changes) == [
        ([("Account", "", "800400")], 3),
        ([], 2),
        ([("Account", "", "800400"), ("Buyer", "Loon", "Van Loon")], 1),
    ]
    euro, zloty = changes.groups[0].money
    assert (euro.currency, euro.number, euro.total, euro.least, euro.most) == (
        "EUR", 2, Decimal("30.5"), Decimal("10"), Decimal("20.5"),
    )  # fmt: skip
    assert (zloty.currency, zloty.number, zloty.total) == ("PLN", 1, Decimal(30))


def test_same_change_on_several_lines_is_one_and_steps_are_added_up(cast: Cast):
    [case] = refused_cases(cast, 1)
    make_version(case, cast.clerk, changes=[
        changed("Account", "", "1", path="/lines/0"), changed("Account", "", "1", path="/lines/1"),
    ])  # fmt: skip
    make_version(case, cast.clerk, changes=[
        changed("Account", "1", "2", path="/lines/0"), changed("Account", "1", "2", path="/lines/1"),
    ])  # fmt: skip
    assert told(changes_of(propose_all(cast, [case]))) == [([("Account", "", "2")], 1)]


def test_what_changes_more_than_business_fields_is_a_group_of_its_own(cast: Cast):
    change = changed("Account", "", "800400")
    same = [{"op": "test", "path": "/other", "value": "x"}, {"op": "replace", "path": "/Account", "value": "800400"}]
    more = [*same, {"op": "add", "path": "/hidden", "value": "1"}]
    cases = refused_cases(cast, 3)
    make_version(cases[0], cast.clerk, changes=[change], operations=same)
    make_version(cases[1], cast.clerk, changes=[change], operations=same)
    make_version(cases[2], cast.clerk, changes=[change], operations=more)
    changes = changes_of(propose_all(cast, cases))
    assert [(group.number, group.others) for group in changes.groups] == [(2, False), (1, True)]


def test_far_amounts_and_new_counterparties_stand_out_and_the_sample_is_of_the_rest(cast: Cast):
    change = changed("Account", "", "800400")
    usual = cases_with(cast, [str(100 + number) for number in range(30)], change)
    # The quartiles of the group are 105 and 123: more than 123 + 3 × 18 stands out.
    edge, far = cases_with(cast, ["177", "178"], change, first=101)
    new = cases_with(cast, ["101", "102"], change, first=201, counterparty="Nova B.V.")
    known = cases_with(cast, ["103"], change, first=301, counterparty="Known B.V.")
    make_case(cast)
    outside = make_case(cast)
    ExceptionCase.objects.filter(pk=outside.pk).update(counterparty="Known B.V.")
    elsewhere = refused_cases(cast, 1, first=401)
    batch = propose_all(cast, [*usual, edge, far, *new, *known])
    changes = changes_of(batch)

    reasons = {item.ref: item.reasons for item in changes.outliers}
    assert reasons == {
        far.ref: ["Its amount is far above the others of its group."],
        new[1].ref: ["No exception before those of this list names this counterparty."],
    }
    assert elsewhere[0].counterparty == usual[0].counterparty
    assert (changes.outliers_count, changes.rest, len(changes.sample)) == (2, 33, batch_changes.SAMPLE)
    sampled = [item.ref for item in changes.sample]
    assert not set(sampled) & set(reasons)
    assert [item.ref for item in changes_of(batch).sample] == sampled


def test_rare_changes_are_counted_together_and_each_stands_out(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batch_changes, "MOST_GROUPS", 2)
    monkeypatch.setattr(batch_changes, "MOST_SHOWN", 3)
    often = cases_with(cast, ["1", "1", "1"], changed("A", "", "1"))
    twice = cases_with(cast, ["2", "2"], changed("B", "", "1"), first=11)
    rare = [cases_with(cast, ["3"], changed("C", "", str(n)), first=20 + n)[0] for n in range(4)]
    refused_cases(cast, 1, first=90)
    changes = changes_of(propose_all(cast, [*often, *twice, *rare]))
    assert [(group.number, group.is_rest) for group in changes.groups] == [(3, False), (2, False), (4, True)]
    assert changes.outliers_count == 4
    assert [item.reasons for item in changes.outliers] == [["Its change is a rare one."]] * 3
    assert changes.rest == 5


def test_what_is_opened_from_the_page_is_noted_and_named_with_the_decision(cast: Cast, signed_in: SignIn):
    cases = refused_cases(cast, 3)
    batch = propose_all(cast, cases)
    controller = signed_in(cast.controller)
    shown = text_of(controller.get(page(batch)))
    assert "Nothing: sent as it came in" in shown
    assert f"Look at {cases[1].ref}" in shown
    for _ in range(2):
        answer = controller.post(page(batch, "look"), {"item": "2"})
        assert (answer.status_code, answer["Location"]) == (302, reverse("exceptions:case", args=[cases[1].ref]))
    look = BatchLook.objects.get()
    assert (look.item.case, look.person) == (cases[1], cast.controller)
    assert "Conrad Controller," in text_of(controller.get(page(batch)))
    for wrong in ({}, {"item": "x"}, {"item": "99"}, {"item": "9" * 30}):
        assert controller.post(page(batch, "look"), wrong).status_code == 404
    assert signed_in(cast.outsider).post(page(batch, "look"), {"item": "1"}).status_code == 404
    assert signed_in(cast.clerk).post(page(batch, "look"), {"item": "1"}).status_code == 302

    approve_batch(batch.pk, by=cast.controller, at=MORNING, frozen_sha256=batch.frozen_sha256)
    [event] = [event for event in timeline(batch.subject) if event.action == "batch.approved"]
    assert event.data["looked_at"] == [cases[1].ref]
    assert event.data["outliers"] == 1  # the largest of a counterparty that is new
    assert len(event.data["sample"]) == 2
    assert controller.post(page(batch, "look"), {"item": "3"}).status_code == 302
    assert BatchLook.objects.count() == 2
    assert "To look at singly" not in text_of(controller.get(page(batch)))


def test_rejection_names_them_too(cast: Cast):
    batch = propose_all(cast, refused_cases(cast, 2))
    reject_batch(batch.pk, by=cast.controller, at=MORNING, frozen_sha256=batch.frozen_sha256, because="No.")
    [event] = [event for event in timeline(batch.subject) if event.action == "batch.rejected"]
    assert event.data["looked_at"] == []


@pytest.mark.django_db(transaction=True)
def test_look_is_written_once_and_only_before_the_decision(cast: Cast, signed_in: SignIn):
    batch = propose_all(cast, refused_cases(cast, 2))
    controller = signed_in(cast.controller)
    at_the_same_time([lambda: controller.post(page(batch, "look"), {"item": "1"})] * 3)
    assert BatchLook.objects.count() == 1
    with pytest.raises(IntegrityError, match="rows of this table are never changed"):
        BatchLook.objects.update(person=cast.clerk)
    approve_batch(batch.pk, by=cast.controller, at=MORNING, frozen_sha256=batch.frozen_sha256)
    with pytest.raises(IntegrityError, match="is running"):
        BatchLook.objects.create(item=batch.items.get(position=2), person=cast.controller, looked_at=MORNING)


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


def test_queries_do_not_grow_with_the_items(cast: Cast, signed_in: SignIn):
    controller, counts, first = signed_in(cast.controller), set(), 1
    for number in (1, 3, 50):
        cases = cases_with(cast, ["5"] * number, changed("Account", "", str(number)), first=first)
        first += 100
        counts.add(queries(controller, page(propose_all(cast, cases))))
    assert len(counts) == 1, counts
    batch = ReplayBatch.objects.latest("pk")
    with CaptureQueriesContext(connection) as seen:
        assert changes_of(batch).groups[0].number == BatchItem.objects.filter(batch=batch).count() == 50
    assert len(seen) == 4
