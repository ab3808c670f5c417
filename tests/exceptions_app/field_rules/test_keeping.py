"""Field rules: kept by two people, and what the page and the API say of them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from audit.queries import timeline
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.field_rules import (
    approve_field_rule,
    propose_field_end,
    propose_field_rule,
    reject_field_rule,
    withdraw_field_rule,
)
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import FieldRule
from exceptions_app.policies import NotPermitted
from tests.cast import Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.actions.test_authority import by_sql
from tests.exceptions_app.api.conftest import Api, api, conforms, schema
from tests.exceptions_app.field_rules.ruled import BEFORE, WHY, asked, in_force, second
from tests.exceptions_app.hands import told
from tests.few_words import german
from workbench.models import User

__all__ = ["api", "conforms", "german", "schema"]
pytestmark = pytest.mark.django_db
SIGNED: dict[str, Any] = {"at": BEFORE, "because": WHY}


def test_rule_is_kept_by_two_who_may_configure(cast: Cast):
    adam = second()
    for wrong, field in (
        (asked(0), "position"), (asked(who="me"), "who"), (asked(who="roles"), "roles"), (asked(roles=("x",)), "roles"),
        (asked(part="Nowhere"), "part"), (asked(field="No such field"), "field"),
        (asked(object_type="payment", field="BT-84"), "field"), (asked(part="Payee", field="Tax code"), "field"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as invalid:
            propose_field_rule(wrong, by=cast.administrator, **SIGNED)
        assert invalid.value.field == field
    with pytest.raises(NotPermitted):
        propose_field_rule(asked(), by=cast.controller, **SIGNED)
    rule = propose_field_rule(asked(field="tax CODE", roles=("controller",)), by=cast.administrator, **SIGNED)
    assert rule.words == "10. Tax code: controller"
    shown: dict[str, Any] = {"at": BEFORE, "frozen_sha256": rule.frozen_sha256}
    for who in (cast.administrator, cast.controller):
        with pytest.raises(NotPermitted):
            approve_field_rule(rule.pk, by=who, **shown)
    with pytest.raises(ApprovalNoLongerHolds):
        approve_field_rule(rule.pk, by=adam, at=BEFORE, frozen_sha256="0" * 64)
    with transaction.atomic():
        told("person.changed", "person:adam", by=cast.administrator, at=BEFORE, fields=["password"])
        with pytest.raises(NotPermitted):
            approve_field_rule(rule.pk, by=adam, **shown)
        with pytest.raises(IntegrityError, match="is no second person for field rule"), transaction.atomic():
            by_sql("fieldruledecision", rule, adam)
        transaction.set_rollback(True)
    assert approve_field_rule(rule.pk, by=adam, **shown).state == "in_force"
    with pytest.raises(DecidedAlready):
        approve_field_rule(rule.pk, by=adam, **shown)
    [proposed, approved] = timeline(rule.subject)
    assert (proposed.action, approved.action) == ("field_rule.proposed", "field_rule.approved")
    assert (approved.data["field"], approved.data["roles"]) == ("Tax code", ["controller"])
    with pytest.raises(Invalid):
        propose_field_rule(asked(field="Tax code", roles=("controller",)), by=adam, replaces=rule.pk, **SIGNED)
    change = propose_field_rule(asked(field="Tax code"), by=adam, replaces=rule.pk, **SIGNED)
    with pytest.raises(Invalid):
        propose_field_end(rule.pk, by=adam, **SIGNED)
    withdraw_field_rule(change.pk, by=adam, at=BEFORE)
    end = propose_field_end(rule.pk, by=adam, **SIGNED)
    reject_field_rule(end.pk, by=cast.administrator, frozen_sha256=end.frozen_sha256, **SIGNED)
    assert [one.pk for one in FieldRule.objects.filter(state="in_force")] == [rule.pk]


def test_database_refuses_what_no_two_people_agreed_to(cast: Cast):
    rule = propose_field_rule(asked(), by=cast.administrator, **SIGNED)
    connection.check_constraints()
    for change, words in (
        ("state = 'in_force'", "four eyes"),
        ("who = 'everybody'", "never changed"),
        ("roles = '[\"x\"]'", "never changed"),
    ):  # fmt: skip
        with pytest.raises(IntegrityError, match=words), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE exceptions_app_fieldrule SET {change} WHERE id = %s", [rule.pk])  # noqa: S608
    for wrong in ({"who": "roles"}, {"who": "nobody", "roles": ["x"]}, {"who": "me"}, {"who": "nobody", "sort": "x"}):
        with pytest.raises(IntegrityError, match="field_rule_"), transaction.atomic():
            FieldRule.objects.create(
                position=1, proposer=cast.administrator, because="x", proposed_at=BEFORE, frozen_sha256="", **wrong
            )


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_time_one_decides_and_one_change_is_proposed(cast: Cast):
    rule = in_force(cast, asked())

    def change(position: int) -> FieldRule:
        return propose_field_rule(asked(position), by=cast.administrator, replaces=rule.pk, **SIGNED)

    found = at_the_same_time([lambda: change(20), lambda: change(30)])
    assert sorted(type(one).__name__ for one in found) == ["FieldRule", "Invalid"]
    waiting = FieldRule.objects.get(state="proposed")
    said: dict[str, Any] = {"by": second(), "at": BEFORE, "frozen_sha256": waiting.frozen_sha256}
    found = at_the_same_time([lambda: approve_field_rule(waiting.pk, **said) for _ in range(2)])
    assert sorted(type(one).__name__ for one in found) == ["DecidedAlready", "FieldRule"]
    assert [one.pk for one in FieldRule.objects.filter(state="in_force")] == [waiting.pk]


TYPED = {
    "position": "10", "queue": "e-invoicing", "object_type": "", "part": "", "field": "bt-84", "sort": "",
    "who": "roles", "roles": ["controller"], "replaces": "", "because": WHY,
}  # fmt: skip


def test_rule_is_typed_decided_on_and_listed(
    cast: Cast, signed_in: Callable[[User], Client], api: Callable[[User], Api], conforms: Callable[[Any, str], None]
):
    adam = second()
    page, new, move = (reverse(f"exceptions:field_rule{name}") for name in ("s", "_propose", "_move"))
    ada = signed_in(cast.administrator)
    wrongs: tuple[dict[str, Any], ...] = (
        {"position": "0"}, {"field": "Nothing"}, {"roles": []}, {"roles": ["nobody"]}, {"who": ""}, {"because": ""},
        {"part": "x"}, {"queue": "x"}, {"replaces": "987654321"},
    )  # fmt: skip
    for wrong in wrongs:
        refused = ada.post(new, TYPED | wrong)
        assert (refused.status_code, FieldRule.objects.count()) == (422, 0), wrong
        [field] = set(refused.context["form"].errors)
        assert field in (*wrong, "__all__")
    assert ada.post(new, TYPED).status_code == 302
    rule = FieldRule.objects.get()
    assert (rule.field, rule.roles) == ("BT-84", ["controller"])
    sent = {"rule": rule.pk, "frozen_sha256": rule.frozen_sha256, "because": ""}
    tries: tuple[tuple[User, dict[str, Any], int], ...] = (
        (cast.controller, {"move": "approve"}, 403), (cast.administrator, {"move": "approve"}, 403),
        (adam, {"move": "reject"}, 422), (adam, {"move": "withdraw"}, 403),
        (adam, {"move": "approve", "frozen_sha256": "0" * 64}, 409), (adam, {"move": "approve"}, 302),
    )  # fmt: skip
    for who, wanted, status in tries:
        assert signed_in(who).post(move, sent | wanted).status_code == status, (who, wanted)
    assert signed_in(cast.clerk).post(new, TYPED).status_code == 403
    in_force(cast, asked(5, queue=cast.holds, sort="amount"))
    shown = signed_in(adam).get(f"{page}?change={rule.pk}")
    assert [one.rule.position for one in shown.context["in_force"]] == [5, 10]
    form = shown.context["form"]
    assert (form["field"].value(), form["roles"].value(), form["who"].value()) == ("BT-84", ["controller"], "roles")
    assert signed_in(adam).get(page).context["form"]["position"].value() == 20
    local = signed_in(cast.local_clerk).get(page)
    assert ([one.rule.pk for one in local.context["in_force"]], local.context["form"]) == ([rule.pk], None)
    answer = api(cast.clerk).get("field-rules")
    conforms(answer.json(), "FieldRulePage")
    assert [one["words"] for one in answer.json()["results"]] == [
        "5. Policy holds, amounts and their currencies: nobody", "10. E-invoicing, BT-84: controller"
    ]  # fmt: skip


@pytest.mark.usefixtures("german")
def test_field_is_named_in_the_language_of_the_page(cast: Cast, signed_in: Callable[[User], Client]):
    ada = signed_in(cast.administrator)
    sent = TYPED | {"field": "steuerkennzeichen", "queue": ""}
    answer = ada.post(reverse("exceptions:field_rule_propose"), sent, HTTP_ACCEPT_LANGUAGE="de")
    assert answer.status_code == 302
    assert FieldRule.objects.get().field == "Tax code"
