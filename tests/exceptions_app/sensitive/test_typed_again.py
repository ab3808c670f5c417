"""Whoever approves another account of a payee types it again: by action, page and API, and the database asks for it."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from audit.queries import timeline
from exceptions_app.actions.batch_propose import judge
from exceptions_app.actions.correct import correct
from exceptions_app.actions.decide import ApprovalNoLongerHolds, approve, reject
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.retyping import ALONE
from exceptions_app.field_classes import sensitive_values
from exceptions_app.models import Decision, Proposal
from exceptions_app.payee_details import changed_details
from exceptions_app.refusing import OTHER_DETAILS
from exceptions_app.states import State
from exceptions_app.views.interrupted import may_be_kept
from integrations.connectors.en16931 import connector
from integrations.models import Delivery
from tests.cast import MORNING, Cast
from tests.exceptions_app.sensitive.planted import BIC, CAME_WITH, IS_NOW, Planted, document, given_away, plant, spaced
from tests.exceptions_app.views.repair import address, field, latest, take_in
from tests.integrations.connectors.iso20022.payment_files import IBANS, Wire, payment_file
from workbench.models import User

pytestmark = pytest.mark.django_db

SignIn = Callable[[User], Client]
LABEL = "The payee's account, typed again (was NL••••4567)"


@pytest.fixture
def planted(cast: Cast) -> Planted:
    return plant(cast)


def test_what_changed_of_a_payee_is_found_by_its_place():
    came_in = document()
    assert changed_details(came_in, came_in) == ()
    other = changed_details(came_in, came_in.replace(CAME_WITH.encode(), spaced(IS_NOW).encode()))
    assert [(detail.label, detail.value) for detail in other] == [(LABEL, IS_NOW)]
    bank = changed_details(came_in, came_in.replace(BIC.encode(), b"DEUTDEFF"))
    assert [detail.value for detail in bank] == ["DEUTDEFF"]
    assert bank[0].label.startswith("The payee's bank, typed again")
    assert changed_details(came_in, came_in.replace(b"Quirina", b"Quentin")) == ()
    assert [detail.value for detail in changed_details(b"unreadable", came_in)] == [CAME_WITH, BIC]


def test_two_payees_who_exchange_their_accounts_are_found():
    came_in = payment_file(Wire("INV-1", iban=IBANS[1]), Wire("INV-2", iban=IBANS[2]))
    one, two = IBANS[1].encode(), IBANS[2].encode()
    exchanged = came_in.replace(one, b"@").replace(two, one).replace(b"@", two)
    assert [detail.value for detail in changed_details(came_in, exchanged)] == [IBANS[2], IBANS[1]]


def test_supplier_with_another_account_is_found():
    came_in = b'{"id": "S-1", "iban": "%s", "vat_id": "NL1"}' % CAME_WITH.encode()
    changed = changed_details(came_in, came_in.replace(CAME_WITH.encode(), IS_NOW.encode()))
    assert [(detail.value, detail.before) for detail in changed] == [(IS_NOW, CAME_WITH)]


@pytest.mark.parametrize("typed", [[], [""], [CAME_WITH], [IS_NOW, IS_NOW], ["NL••••4567"]])
def test_approval_without_the_account_decides_nothing(cast: Cast, planted: Planted, typed: list[str]):
    frozen = planted.proposal.frozen_sha256
    with pytest.raises(Invalid) as refused:
        approve(planted.case.pk, by=cast.controller, at=MORNING, frozen_sha256=frozen, retyped=typed)
    assert refused.value.field in {"retyped", "retyped_0"}
    assert IS_NOW not in refused.value.problem
    assert not Decision.objects.exists()
    assert not Delivery.objects.exists()


def test_account_typed_as_people_write_it_is_approved_and_told_without_it(cast: Cast, planted: Planted):
    approve(
        planted.case.pk, by=cast.controller, at=MORNING, frozen_sha256=planted.proposal.frozen_sha256,
        retyped=[spaced(IS_NOW).lower()],
    )  # fmt: skip
    decision = Decision.objects.get()
    assert decision.retyped_sha256 == planted.proposal.retype_sha256 != ""
    told = next(event for event in timeline(planted.case.subject) if event.action == "case.approved")
    assert [way.rpartition("PaymentMeans/")[2] for way in told.data["typed_again"]] == ["PayeeFinancialAccount/ID"]
    assert IS_NOW not in str(told.data)


def test_rejection_needs_nothing_typed(cast: Cast, planted: Planted):
    frozen = planted.proposal.frozen_sha256
    reject(planted.case.pk, by=cast.controller, at=MORNING, frozen_sha256=frozen, because="They deny it.")
    assert Proposal.objects.get().state == Proposal.State.REJECTED


def test_database_refuses_an_approval_that_was_not_typed(cast: Cast, planted: Planted):
    with pytest.raises(IntegrityError, match="were not typed again"), transaction.atomic():
        Decision.objects.create(
            proposal=planted.proposal, verdict="approved", decider=cast.controller,
            frozen_sha256=planted.proposal.frozen_sha256, decided_at=MORNING,
        )  # fmt: skip
    with pytest.raises(IntegrityError, match="retype_sha256 is never changed"), transaction.atomic():
        Proposal.objects.update(retype_sha256="")


def test_page_asks_for_it_and_never_shows_what_was_typed(cast: Cast, planted: Planted, signed_in: SignIn):
    client = signed_in(cast.controller)
    page = client.get(address(planted.case))
    assert LABEL.replace("'", "&#x27;") in page.content.decode()
    url = reverse("exceptions:approve", args=[planted.case.ref])
    sent = {"frozen_sha256": planted.proposal.frozen_sha256, "agreed": "on", "because": "Called them."}
    for typed, words in (
        ("", "type it from the payee&#x27;s own record"),
        (IBANS[2], "This is not what would be sent"),
    ):
        answer = client.post(url, {**sent, "retyped_0": typed})
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert "Called them." in answer.content.decode()
        assert given_away(answer, (IS_NOW, IBANS[2])) == []
    (refused,) = AuditEvent.objects.filter(action="person.refused")  # of the other account, and not of the empty field
    assert (refused.actor, refused.data["about"], refused.data["reason"]) == ("conrad", planted.case.ref, OTHER_DETAILS)
    assert IBANS[2] not in refused.summary
    unticked = client.post(url, {"frozen_sha256": sent["frozen_sha256"], "retyped_0": IS_NOW})
    assert unticked.status_code == 422
    assert given_away(unticked) == []
    assert client.post(url, {**sent, "retyped_0": spaced(IS_NOW)}).status_code == 302
    planted.case.refresh_from_db()
    assert planted.case.state == State.REPLAYING


def test_api_says_what_to_type_and_points_to_what_is_missing(cast: Cast, planted: Planted, signed_in: SignIn):
    client = signed_in(cast.controller)
    url = f"/api/v1/exceptions/{planted.case.ref}"
    seen = client.get(url)
    assert seen.json()["to_retype"] == [LABEL]
    assert seen.json()["proposal"]["needs_retyping"] is True
    body = {"frozen_sha256": planted.proposal.frozen_sha256}

    def post(**more: object) -> tuple[int, dict[str, object]]:
        answer = client.post(
            f"{url}/approve", {**body, **more}, content_type="application/json", headers={"If-Match": seen["ETag"]}
        )
        return answer.status_code, answer.json()

    status, problem = post()
    assert (status, problem["errors"][0]["pointer"]) == (422, "/retyped/0")  # type: ignore[index]
    assert not AuditEvent.objects.filter(action="person.refused").exists()
    assert post(retyped=[IBANS[2]])[0] == 422
    assert AuditEvent.objects.get(action="person.refused").data["reason"] == OTHER_DETAILS
    assert post(retyped=[IS_NOW])[0] == 200
    assert client.get(url).json()["to_retype"] == []


def test_in_a_batch_nobody_could_type_it(cast: Cast):
    case = take_in(cast, document())
    steps = connector.operations_for(bytes(latest(case).content), {
        field(case, "BT-2").path: "2026-11-02", field(case, "BT-84").path: IS_NOW,
    })  # fmt: skip
    correct(case.pk, by=cast.clerk, at=MORNING, because="By telephone.", base_version=1, operations=steps)
    case.refresh_from_db()
    assert [found.refusal for found in judge([case], by=cast.clerk)] == [ALONE]


def test_approval_for_a_batch_is_refused_at_its_turn(cast: Cast, planted: Planted):
    with pytest.raises(ApprovalNoLongerHolds, match="Propose it by itself"):
        approve(
            planted.case.pk, by=cast.controller, at=MORNING, frozen_sha256=planted.proposal.frozen_sha256, batch="RB-1"
        )
    assert not Decision.objects.exists()


def test_it_is_not_kept_while_somebody_signs_in_again():
    assert not may_be_kept("retyped_0")
    assert may_be_kept("because")


@pytest.mark.parametrize("cut", [b"<!-- -->%s", b"%s<?cut here?>", b"DE<!-- -->%s"])
def test_comment_within_an_account_hides_nothing(cut: bytes):
    came_in, tail = document(), IS_NOW.encode() if not cut.startswith(b"DE") else IS_NOW[2:].encode()
    sent = came_in.replace(f"<cbc:ID>{CAME_WITH}</cbc:ID>".encode(), b"<cbc:ID>" + cut % tail + b"</cbc:ID>")
    assert sent != came_in
    assert [detail.value for detail in changed_details(came_in, sent)] == [IS_NOW]
    assert IS_NOW in (sensitive_values(sent) or {})


def test_bank_by_another_identifier_counts_and_the_payers_own_does_not():
    came_in = payment_file(Wire("INV-1", iban=IBANS[1], bic="PLNTDEFFXXX"))
    other = came_in.replace(b"</BICFI>", b"</BICFI><Othr><Id>4711</Id></Othr>")
    assert "4711" in {detail.value for detail in changed_details(came_in, other)}
    invoice = document()
    assert changed_details(invoice, invoice.replace(b"BE68539007547043", b"BE68539007547034")) == ()
