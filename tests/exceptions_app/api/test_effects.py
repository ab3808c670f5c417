"""The report on effects by HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from exceptions_app.models import ExceptionCase
from integrations import outbox
from integrations.models import Delivery, Effect
from tests.cast import MORNING, Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from tests.factories import make_case
from workbench.models import User

pytestmark = pytest.mark.django_db

As = Callable[[User], Api]
NOVEMBER = {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}


def sent(cast: Cast, number: str, state: str, reference: str = "", **more: Any) -> ExceptionCase:
    case = make_case(cast, number=number, **more)
    with transaction.atomic():
        delivery = outbox.enqueue(
            connection=case.connection, operation=Delivery.Operation.SUBMIT, object_type=case.object_type,
            business_key=case.business_key, content=number.encode(), media_type="application/xml",
            subject=case.subject, probe_first=False, amount=case.amount, currency=case.currency, at=MORNING,
        )  # fmt: skip
    Delivery.objects.filter(pk=delivery.pk).update(state=state, reference=reference, sends=1)
    if reference:
        Effect.objects.create(
            connection=case.connection, object_type=case.object_type, business_key=case.business_key,
            reference=reference, is_ours=True, content_sha256=delivery.content_sha256, seen_by="evidence",
            delivery=delivery, observed_at=MORNING,
        )  # fmt: skip
    return case


def test_effects_of_a_period_with_what_was_seen(cast: Cast, api: As, conforms: Callable[[Any, str], None]):
    proven = sent(cast, "INV-1", "confirmed", "CLR-1", amount="10.50")
    unknown = sent(cast, "INV-2", "unknown", amount="7", currency="USD")
    document = api(cast.controller).get("effects", NOVEMBER).json()
    conforms(document, "EffectPage")
    assert [found["ref"] for found in document["results"]] == [unknown.ref, proven.ref]
    assert [found["standing"] for found in document["results"]] == ["unproven", "proven"]
    assert document["results"][1]["amount"] == {"amount": "10.50", "currency": "EUR"}
    [seen] = document["results"][1]["effects"]
    assert (seen["reference"], seen["seen_by"], seen["is_ours"]) == ("CLR-1", "evidence", True)
    assert document["results"][1]["url"].endswith(f"/api/v1/exceptions/{proven.ref}")


def test_totals_add_up_and_keep_currencies_apart(cast: Cast, api: As, conforms: Callable[[Any, str], None]):
    sent(cast, "INV-1", "confirmed", "CLR-1", amount="10.50")
    sent(cast, "INV-2", "confirmed", "CLR-2", amount="7", currency="USD")
    sent(cast, "INV-3", "confirmed", "CLR-3", amount=None)
    sent(cast, "INV-4", "cancelled")
    document = api(cast.controller).get("effects/totals", NOVEMBER).json()
    conforms(document, "EffectTotalsShape")
    by_standing = {total["standing"]: total for total in document["totals"]}
    assert document["number"] == sum(total["count"] for total in document["totals"]) == 4
    proven = by_standing["proven"]
    assert (proven["count"], proven["without_amount"]) == (3, 1)
    assert proven["money"] == [
        {"amount": "10.50", "currency": "EUR"},
        {"amount": "7.00", "currency": "USD"},
    ]
    assert by_standing["not_booked"]["count"] == 1


def test_standing_period_and_connection_narrow(cast: Cast, api: As):
    proven = sent(cast, "INV-1", "confirmed", "CLR-1")
    sent(cast, "INV-2", "refused")
    reader = api(cast.controller)

    def shown(**query: str) -> list[str]:
        return [found["ref"] for found in reader.get("effects", NOVEMBER | query).json()["results"]]

    assert shown(standing="proven") == [proven.ref]
    assert shown(connection="elsewhere") == []
    assert shown(until="2026-11-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "query", [{"since": "yesterday"}, {"until": "2026-11-01T00:00:00"}, {"standing": "lost"}, {"whose": "mine"}]
)
def test_what_cannot_be_understood_is_named(cast: Cast, api: As, query: dict[str, str]):
    response = api(cast.controller).get("effects", query)
    assert kind_of(response)[0] == 400
    assert response.json()["errors"][0]["parameter"] == next(iter(query))


def test_effects_of_others_are_not_shown(cast: Cast, api: As):
    sent(cast, "INV-1", "confirmed", "CLR-1")
    assert api(cast.outsider).get("effects", NOVEMBER).json()["results"] == []
    assert api(cast.administrator).get("effects/totals", NOVEMBER).json()["number"] == 0
