"""The page of the routing rules, and what the API says of them."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from exceptions_app.actions.grants import grant_connection
from exceptions_app.models import RoutingRule
from tests import factories
from tests.cast import SET_UP_AT, Cast, person
from tests.exceptions_app.api.conftest import Api, api
from workbench.models import User

__all__ = ["api"]
pytestmark = pytest.mark.django_db
TYPED = {
    "position": "10", "connection": "", "entity": "NL01", "object_type": "invoice", "category": "", "code": "",
    "cause": "", "country": "", "above": "1,000.00", "currency": "eur", "queue": "policy-holds", "priority": "1",
    "replaces": "", "because": "Held for a second look.",
}  # fmt: skip


def words(response: object) -> str:
    return " ".join(response.content.decode().split())  # type: ignore[attr-defined]


def test_rule_is_previewed_typed_and_decided_on(
    cast: Cast, signed_in: Callable[[User], Client], api: Callable[[User], Api]
):
    case, other = factories.make_case(cast, amount="1250"), factories.make_cause("E-17", "Closed.")
    grant_connection("configure_connection", cast.clerk, cast.connection, by=cast.administrator, at=SET_UP_AT)
    page, new, move = (reverse(f"exceptions:routing_rule{name}") for name in ("s", "_propose", "_move"))
    clara, adam = signed_in(cast.clerk), person("adam", "Adam Administrator", is_staff=True)
    for wrong in (
        {"position": "0"}, {"position": "x"}, {"connection": "nobody"}, {"cause": "CA-987654321"}, {"cause": other.ref},
        {"cause": "\x00"}, {"country": "XX"}, {"country": "Netherlands"}, {"above": "many"}, {"above": ""},
        {"currency": "XQX"}, {"currency": "euros"}, {"queue": "x"}, {"priority": "5"}, {"replaces": "987654321"},
    ):  # fmt: skip
        refused = clara.post(new, TYPED | wrong)
        assert (refused.status_code, RoutingRule.objects.count()) == (422, 0), wrong
        [field] = set(refused.context["form"].errors)
        assert field in (*wrong, "currency", "__all__"), wrong
        assert refused.context["form"]["because"].value() == TYPED["because"]
    # First it is shown what it would change, and what was shown is proposed: not what is typed after that.
    shown = clara.post(new, TYPED)
    assert (shown.status_code, RoutingRule.objects.count()) == (200, 0)
    assert "1 open exception would have gone elsewhere or had another priority." in words(shown)
    assert reverse("exceptions:case", args=[case.ref]) in words(shown)
    assert "<dt>See it no longer</dt> <dd> Lars Local </dd>" in words(shown)
    previewed = TYPED | {"previewed": shown.context["proposed_effect"].shown}
    again = clara.post(new, previewed | {"above": "2000"})
    assert (again.status_code, again.context["form"]["above"].value()) == (200, "2000")
    assert "No open exception would have gone elsewhere" in words(again)
    refused = clara.post(new, previewed | {"because": " "})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["because"])
    assert clara.post(new, previewed).status_code == 302
    rule = RoutingRule.objects.get()
    sent = {"rule": rule.pk, "frozen_sha256": rule.frozen_sha256, "because": ""}
    for who, wanted, status in (
        (cast.controller, {"move": "approve"}, 403),
        (cast.clerk, {"move": "approve"}, 403),
        (adam, {"move": "reject"}, 422),
        (adam, {"move": "approve", "frozen_sha256": "0" * 64}, 409),
        (adam, {"move": "approve", "rule": 987_654_321}, 422),
        (adam, {"move": "approve"}, 302),
        (adam, {"move": "approve"}, 409),
    ):
        assert signed_in(who).post(move, sent | wanted).status_code == status, (who, wanted)
    # Whoever keeps none reads those of what they see; a change begins with what the rule asks.
    read = signed_in(cast.controller).get(f"{page}?rule={rule.pk}")
    assert (read.context["form"], read.context["effect"]) == (None, None)
    assert "10. NL01, invoice, above 1,000.00 EUR: Policy holds, P1" in words(read)
    assert signed_in(cast.local_clerk).get(page).context["in_force"] == []
    assert signed_in(cast.outsider).get(page).context["in_force"] == []
    begun = clara.get(f"{page}?change={rule.pk}").context["form"]
    assert {name: begun[name].value() for name in ("above", "queue", "replaces")} == {
        "above": "1000.00", "queue": "policy-holds", "replaces": rule.pk,
    }  # fmt: skip
    assert clara.get(page).context["form"]["position"].value() == 20
    [found] = api(cast.controller).get("routing-rules").json()["results"]
    assert (found["ref"], found["queue"], found["above"], found["currency"]) == (
        rule.ref, "policy-holds", "1000", "EUR",
    )  # fmt: skip
    assert (found["decision"]["decider"]["username"], api(cast.local_clerk).get("routing-rules").json()["results"]) == (
        "adam", [],
    )  # fmt: skip
    # To end it shows first what that would change.
    led = factories.make_case(cast, amount="1250", queue=cast.holds)
    looked = clara.get(f"{page}?rule={rule.pk}")
    assert "the queue of its route with the priority of its route" in words(looked)
    assert [one.shown for one in looked.context["effect"].preview.ways] == [[led]]
    refused = clara.post(new, TYPED | {"above": "many", "replaces": str(rule.pk)})
    assert f"Propose another rule in the place of {rule.ref}" in words(refused)
    assert signed_in(adam).post(move, sent | {"move": "end", "because": "Gone."}).status_code == 302
    assert f"ends {rule.ref}" in words(clara.get(page))
    end = RoutingRule.objects.get(is_end=True)
    for who, said in ((adam, "Not needed to withdraw it."), (cast.clerk, "Needed to reject it.")):
        assert said in words(signed_in(who).get(f"{page}?rule={end.pk}"))
    agreed = {"rule": end.pk, "frozen_sha256": end.frozen_sha256, "move": "approve", "because": "It did its work."}
    assert clara.post(move, agreed).status_code == 302
    assert f"Approved by {cast.clerk}: <q>It did its work.</q>" in words(clara.get(page))
