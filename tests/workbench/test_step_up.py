"""Decisions about much money want a fresh proof: by page and API, single, bulk, batch and value mapping."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions.exchange_rates import import_rates
from exceptions_app.actions.fresh_proof import Caller, FreshProofNeeded, called_by, require_fresh_proof
from exceptions_app.actions.propose import propose_replay
from exceptions_app.models import ExceptionCase, Proposal
from tests.cast import MORNING, PASSWORD, Cast, cast, signed_in
from tests.exceptions_app.replay_batches.target import Target, propose_all, refused_cases, target
from tests.exceptions_app.value_mappings.mapping import propose as propose_mapping
from workbench.tokens import create_api_token

__all__ = ["cast", "signed_in", "target"]
NEEDED = "fresh-proof-needed"


@pytest.fixture(autouse=True)
def little_is_much(time_machine: Any, settings: LazySettings) -> Iterator[None]:
    """The documents of these tests are about 10.50 EUR each."""
    settings.PROOF_ABOVE = 10
    time_machine.move_to(MORNING, tick=False)
    cache.clear()
    yield
    cache.clear()


def proposed(cast: Cast, count: int, *, first: int = 1) -> list[Proposal]:
    return [
        propose_replay(case.pk, by=cast.clerk, at=MORNING, because="It is back.")
        for case in refused_cases(cast, count, first=first)
    ]


def approval(proposal: Any, **more: str) -> dict[str, str]:
    return {"frozen_sha256": proposal.frozen_sha256, "because": "Compared with the order.", "agreed": "on", **more}


def states() -> list[str]:
    return list(ExceptionCase.objects.order_by("pk").values_list("state", flat=True))


def act(client: Client, address: str, body: dict[str, Any], **headers: str) -> Any:
    return client.post(f"/api/v1/{address}", body, content_type="application/json", headers=headers)


def test_page_asks_keeps_what_was_typed_and_goes_on(cast: Cast, target: Target, signed_in: Any, time_machine: Any):
    first, second, third = proposed(cast, 3)
    controller = signed_in(cast.controller)
    address = f"/exceptions/{first.case.ref}/approve/"
    time_machine.shift(timedelta(minutes=5, seconds=1))
    asked = controller.post(address, approval(first))
    html = asked.content.decode()
    assert (asked.status_code, states()) == (403, ["awaiting_approval"] * 3)
    assert "more than 10 EUR" in html
    assert f'action="{address}?proof=1"' in html
    kept = dict(asked.context["kept"])
    assert kept == approval(first)
    assert all(f'value="{value}"' in html for value in kept.values())
    wrong = controller.post(f"{address}?proof=1", kept | {"proof-password": "not it"})
    assert (wrong.status_code, dict(wrong.context["kept"])) == (422, kept)
    assert wrong.context["form"].errors["password"] == ["This is not your password."]
    assert controller.post(f"{address}?proof=1", kept | {"proof-password": ""}).status_code == 422
    right = controller.post(f"{address}?proof=1", kept | {"proof-password": PASSWORD})
    assert (right.status_code, right["Location"]) == (302, f"/exceptions/{first.case.ref}/")
    assert states() == ["replaying", "awaiting_approval", "awaiting_approval"]
    assert controller.post(f"/exceptions/{second.case.ref}/approve/", approval(second)).status_code == 302
    events = list(AuditEvent.objects.filter(actor__in=["nora", "(unknown)", cast.controller.username]).order_by("id"))
    assert [event.action for event in events] == [
        "person.sign_in_refused", "person.proved_again", "case.approved", "case.approved",
    ]  # fmt: skip
    assert AuditEvent.objects.get(subject=first.case.subject, action="case.approved").because == kept["because"]

    time_machine.shift(timedelta(minutes=6))
    address = f"/exceptions/{third.case.ref}/approve/"
    fragment = controller.post(address, approval(third), headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment["HX-Retarget"], fragment["HX-Reselect"]) == (200, "#content", "#content")
    reject = {"frozen_sha256": third.frozen_sha256, "because": "Not now."}
    assert controller.post(f"/exceptions/{third.case.ref}/reject/", reject).status_code == 302
    assert [controller.post(f"{address}?proof=1", kept | {"proof-password": "x"}).status_code for _ in range(6)] == [
        422
    ] * 5 + [429]


def test_batch_and_value_mapping_ask_for_what_they_are_about_together(
    cast: Cast, target: Target, signed_in: Any, time_machine: Any, settings: LazySettings
):
    settings.PROOF_ABOVE = 21  # two documents are 21.00, three are more
    small, large = propose_all(cast, refused_cases(cast, 2)), propose_all(cast, refused_cases(cast, 3, first=10))
    mapping = propose_mapping(cast)
    controller = signed_in(cast.controller)
    time_machine.shift(timedelta(minutes=6))
    assert controller.post(f"/batches/{small.ref}/approve/", approval(small)).status_code == 302
    for address, proposal in (
        (f"/batches/{large.ref}/approve/", large),
        (f"/mapping-proposals/{mapping.ref}/approve/", mapping),
    ):
        assert controller.post(address, approval(proposal)).status_code == 403
        done = controller.post(f"{address}?proof=1", approval(proposal, **{"proof-password": PASSWORD}))
        assert (done.status_code, done["Location"]) == (302, address.removesuffix("approve/"))
        time_machine.shift(timedelta(minutes=6))
    assert AuditEvent.objects.filter(action="value_mapping.approved").count() == 1
    assert AuditEvent.objects.filter(action="batch.approved").count() == 2


def test_api_says_so_to_a_session_and_refuses_a_token(
    cast: Cast, target: Target, signed_in: Any, time_machine: Any, settings: LazySettings
):
    first, second = proposed(cast, 2)
    batch = propose_all(cast, refused_cases(cast, 2, first=10))
    session = signed_in(cast.controller)
    _, token = create_api_token(cast.controller, name="program", at=now())
    bearer = {"authorization": f"Bearer {token}"}
    body = {"frozen_sha256": first.frozen_sha256, "because": "Compared."}
    address = f"exceptions/{first.case.ref}/approve"
    for client, headers in ((Client(), bearer), (session, bearer)):
        refused = act(client, address, body, **headers)
        assert (refused.status_code, refused.json()["type"]) == (403, f"/api/problems/#{NEEDED}")
        assert "no token" in refused.json()["detail"]
    time_machine.shift(timedelta(minutes=6))
    refused = act(session, address, body)
    assert (refused.status_code, refused.json()["type"]) == (403, f"/api/problems/#{NEEDED}")
    assert "no older than five minutes" in refused.json()["detail"]
    # The token was refused, twice; the session was asked, which is no refusal, and no answer to be kept either.
    attempts = AuditEvent.objects.filter(action="person.refused")
    assert [event.data["token"] for event in attempts] == ["program"] * 2
    keyed = {"idempotency-key": "the-same"}
    assert act(session, address, body, **keyed).status_code == 403
    items = [
        {
            "ref": proposal.case.ref,
            "if_match": "*",
            "body": {"frozen_sha256": proposal.frozen_sha256, "because": "Yes."},
        }
        for proposal in (first, second)
    ]
    many = act(session, "exceptions/bulk", {"action": "approve", "items": items})
    assert [outcome["problem"]["type"] for outcome in many.json()["outcomes"]] == [f"/api/problems/#{NEEDED}"] * 2
    assert attempts.count() == 2
    shown = {"frozen_sha256": batch.frozen_sha256}
    assert act(session, f"batches/{batch.ref}/approve", shown).json()["type"].endswith(NEEDED)
    assert set(states()) == {"awaiting_approval"}

    assert session.post("/accounts/prove/", {"password": PASSWORD}).status_code == 302
    assert act(session, address, body, **keyed).status_code == 200
    settings.PROOF_ABOVE = 11
    small = {"frozen_sha256": second.frozen_sha256, "because": "Compared."}
    assert act(Client(), f"exceptions/{second.case.ref}/approve", small, **bearer).status_code == 200
    assert act(Client(), f"batches/{batch.ref}/approve", shown, **bearer).status_code == 403


@pytest.mark.parametrize(
    ("money", "asks"),
    [
        ([("10", "EUR")], False),
        ([("10.01", "EUR")], True),
        ([("-10.01", "EUR")], True),
        ([("6", "EUR"), ("5", "EUR")], True),
        ([(None, "EUR")], True),
        ([("1", "")], True),
        ([("11", "USD")], False),  # at 1.20 for a euro
        ([("12.50", "USD")], True),
        ([("1", "GBP")], True),  # without a rate
        ([], True),
    ],
)
def test_amounts_are_reckoned_in_the_currency_of_the_group(cast: Cast, money: list[tuple[str | None, str]], asks: bool):
    import_rates(b"Date,USD,\n2026-11-01,1.2000,\n", by=cast.administrator, at=MORNING, because="For this test.")
    parts = [(Decimal(amount) if amount else None, currency) for amount, currency in money]

    def is_asked(**caller: bool) -> bool:
        try:
            with called_by(lambda: Caller(**caller)):
                require_fresh_proof(lambda: parts, at=MORNING)
        except FreshProofNeeded:
            return True
        return False

    assert is_asked(has_token=False, proved_lately=False) is asks
    assert is_asked(has_token=True, proved_lately=False) is asks
    assert not is_asked(has_token=False, proved_lately=True)
    require_fresh_proof(lambda: parts, at=MORNING)  # nobody asks: a worker
