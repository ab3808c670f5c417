"""The page of the rules of approval, what the page of an exception and the API say of them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import DjangoAssertNumQueries

from audit.queries import timeline
from exceptions_app.actions.grants import add_to_role, grant_connection
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ApprovalRule, Proposal
from exceptions_app.queries.approval_reach import effect_of
from exceptions_app.queries.reach import reach_of
from tests import factories
from tests.cast import SET_UP_AT, Cast, person
from tests.exceptions_app.actions.mending import mend_and_propose, take_in
from tests.exceptions_app.actions.test_authority import second_controller
from tests.exceptions_app.api.conftest import Api, api
from workbench.models import User

__all__ = ["api"]
pytestmark = pytest.mark.django_db
TYPED = {
    "above": "100.00", "currency": "eur", "approvers": "2", "entity": "", "object_type": "", "role": "", "replaces": "",
    "because": "The group's policy.",
}  # fmt: skip


def test_rule_is_typed_decided_on_and_shown_where_it_counts(
    cast: Cast, signed_in: Callable[[User], Client], api: Callable[[User], Api]
):
    Group.objects.create(name="directors")
    adam = person("adam", "Adam Administrator", is_staff=True)
    page, new, move = (reverse(f"exceptions:approval_rule{name}") for name in ("s", "_propose", "_move"))
    nina, case = second_controller(), take_in(cast)
    proposal = mend_and_propose(case, by=cast.clerk)
    ada = signed_in(cast.administrator)
    for wrong in (
        {"above": "12,345"}, {"above": "many"}, {"currency": "XQX"}, {"approvers": "1"},
        {"role": "nobody"}, {"replaces": "987654321"},
    ):  # fmt: skip
        refused = ada.post(new, TYPED | wrong)
        assert (refused.status_code, ApprovalRule.objects.count()) == (422, 0), wrong
        [field] = set(refused.context["form"].errors)
        assert field in (*wrong, "__all__")
        assert refused.context["form"]["above"].value() == (TYPED | wrong)["above"]
    shown = ada.post(new, TYPED)
    assert (shown.status_code, ApprovalRule.objects.count()) == (200, 0)
    previewed = TYPED | {"previewed": shown.context["proposed_effect"].shown}
    other = ada.post(new, previewed | {"above": "200.00"})  # what was shown is proposed, and nothing else
    assert (other.status_code, ApprovalRule.objects.count()) == (200, 0)
    refused = ada.post(new, previewed | {"because": ""})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["because"])
    assert ada.post(new, previewed).status_code == 302
    rule = ApprovalRule.objects.get()
    sent = {"rule": rule.pk, "frozen_sha256": rule.frozen_sha256, "because": ""}
    for who, wanted, status in (
        (cast.controller, {"move": "approve"}, 403),
        (cast.administrator, {"move": "approve"}, 403),
        (adam, {"move": "reject"}, 422),
        (adam, {"move": "withdraw"}, 403),
        (adam, {"move": "end", "because": "Gone."}, 422),
        (adam, {"move": "approve", "frozen_sha256": "0" * 64}, 409),
        (adam, {"move": "approve", "rule": 987_654_321}, 422),
        (adam, {"move": "approve"}, 302),
    ):
        assert signed_in(who).post(move, sent | wanted).status_code == status, (who, wanted)
    shown = signed_in(cast.controller).get(page)
    assert ([one.rule.pk for one in shown.context["in_force"]], shown.context["form"]) == ([rule.pk], None)
    assert signed_in(adam).get(f"{page}?change={rule.pk}").context["form"]["above"].value() == "100.00"
    assert api(cast.controller).get("approval-rules").json()["results"][0]["words"] == rule.words
    assert "above 100.00 EUR: 2 approvers" in shown.content.decode()
    # A change that is refused stays a change of that rule.
    refused = signed_in(adam).post(new, TYPED | {"above": "many", "replaces": str(rule.pk)})
    assert (refused.context["changed"], refused.context["form"]["replaces"].value()) == (rule, str(rule.pk))
    assert f"in the place of {rule.ref}" in refused.content.decode()
    first_of_two(cast, nina, proposal, f"{rule}.", signed_in, api)


def words(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


NOBODY, TOO_FEW = "Nobody could approve under this rule", "Fewer people could approve than this rule asks for"


def test_whom_a_rule_leaves_to_approve_is_told_before_it_is_proposed_and_decided_on(
    cast: Cast, signed_in: Callable[[User], Client], api: Callable[[User], Api],
    django_assert_num_queries: DjangoAssertNumQueries,
):  # fmt: skip
    """By the open proposals that the reader sees, and by place; to be read and no refusal: somebody may be hired."""
    page, new, move = (reverse(f"exceptions:approval_rule{name}") for name in ("s", "_propose", "_move"))
    grant_connection("configure_connection", cast.clerk, cast.connection, by=cast.administrator, at=SET_UP_AT)
    for amount in ("80", "1500", "2500"):
        factories.make_proposal(factories.make_case(cast, amount=amount), cast.clerk)
    factories.make_case(cast, amount="9000")  # nothing is proposed on it
    factories.make_proposal(factories.make_case(cast, amount="9000", entity=cast.germany), cast.clerk)
    clara, adam = signed_in(cast.clerk), person("adam", "Adam Administrator", is_staff=True)
    typed = TYPED | {"above": "100", "entity": "NL01", "object_type": "invoice", "role": "auditor"}
    shown = clara.post(new, typed)
    effect = shown.context["proposed_effect"]
    assert (effect.sees, effect.number, effect.money) == (True, 2, {"EUR": Decimal(4000)})
    assert [(place.queue, place.entity, place.people) for place in effect.places] == [
        ("E-invoicing", "Meridian Industries NV", 0)
    ]
    assert all(said in words(shown) for said in (NOBODY, "2 open proposals", "4,000.00", "<strong>nobody</strong>"))
    assert "Have an administrator first give enough people the right to approve there" in words(shown)
    assert "You may see no exceptions" in words(signed_in(cast.administrator).post(new, typed))
    # Fewer than it asks for, and enough.
    few = clara.post(new, typed | {"role": "controller"})
    assert all(said in words(few) for said in (TOO_FEW, "only Conrad Controller, and two must"))
    second_controller()
    enough = clara.post(new, typed | {"role": ""})
    assert TOO_FEW not in words(enough)
    assert "Conrad Controller and Nina Newcomer" in words(enough)
    # Once it is proposed, the second person reads the same before they decide; so does a program that keeps the rules.
    assert clara.post(new, typed | {"previewed": effect.shown}).status_code == 302
    rule = ApprovalRule.objects.get()
    assert 'value="approve"' not in words(signed_in(adam).get(page))
    looked = signed_in(adam).get(f"{page}?rule={rule.pk}")
    assert all(said in words(looked) for said in (NOBODY, "You may see no exceptions", 'value="approve"'))
    [told] = api(adam).get("approval-rules").json()["results"]
    place = {"queue": cast.einvoicing.slug, "entity": told["entity"], "people": 0}
    assert told["too_few"] == [place | {"queue_name": "E-invoicing", "entity_name": "Meridian Industries NV"}]
    assert api(cast.controller).get("approval-rules").json()["results"][0]["too_few"] is None
    reach = reach_of(cast.clerk)
    with django_assert_num_queries(2):
        assert effect_of(rule, reach, sees=True).number == 2
    agreed = {"rule": rule.pk, "frozen_sha256": rule.frozen_sha256, "move": "approve", "because": ""}
    assert signed_in(adam).post(move, agreed).status_code == 302
    assert NOBODY in words(clara.get(f"{page}?rule={rule.pk}"))
    end = signed_in(adam).post(move, agreed | {"move": "end", "because": "Nobody has it."})
    assert end.status_code == 302
    ending = words(clara.get(f"{page}?rule={ApprovalRule.objects.get(is_end=True).pk}"))
    assert "Without it one other person is enough" in ending
    assert NOBODY not in ending


def test_role_of_which_nobody_may_approve_is_named_as_such(cast: Cast, signed_in: Callable[[User], Client]):
    """A role that says who has authority need not give the right itself, as long as somebody who has it may approve."""
    limits = Group.objects.create(name="signatories")
    Group.objects.create(name="empty")
    add_to_role(limits.name, cast.controller, by=machine(SETUP), at=SET_UP_AT)
    page = signed_in(cast.administrator).get(reverse("exceptions:approval_rules"))
    choices = dict(page.context["form"].fields["role"].choices)
    assert (choices["signatories"], choices["controller"]) == ("signatories", "controller")
    for role in ("auditor", "clerk", "empty"):
        assert choices[role] == f"{role} (nobody who has it may approve anywhere)"


def first_of_two(
    cast: Cast, nina: User, proposal: Proposal, rule: str, signed_in: Callable[[User], Client],
    api: Callable[[User], Api],
) -> None:  # fmt: skip
    """What came into force after it was proposed is shown as what it takes."""
    case = proposal.case
    address = reverse("exceptions:case", args=[case.ref])

    def shown(who: User) -> str:
        return " ".join(signed_in(who).get(address).content.decode().split())

    assert rule in shown(cast.clerk)
    to_come = signed_in(cast.clerk).get(reverse("exceptions:case", args=[factories.make_case(cast, amount="1500").ref]))
    assert to_come.context["rules_to_come"] == [rule]
    before = shown(cast.controller)
    first = ("0 of 2 approvals", "you would be the first", "Approve as the first", 'name="as_first" value="True"')
    assert all(words in before for words in first)
    listed = api(nina).get("proposals").json()["results"][0]
    for said in (listed, api(nina).get(f"exceptions/{case.ref}").json()["proposal"]):
        assert (said["approvers"], said["rules"], said["first_approval"]) == (2, [rule], None)
    sent = {"frozen_sha256": proposal.frozen_sha256, "agreed": "on", "because": ""}
    done = signed_in(cast.controller).post(reverse("exceptions:approve", args=[case.ref]), sent, follow=True)
    assert "as the first of two. Nothing is done yet" in done.content.decode()
    assert list(timeline(case.subject))[-1].data["rules"] == [rule.partition(":")[0]]
    told = shown(nina)
    assert "1 of 2 approvals, by Conrad Controller" in told
    assert "you would be the second of two" in told
    assert "1 of 2 approvals" in signed_in(nina).get(reverse("exceptions:approvals")).content.decode()
    mine = signed_in(cast.controller).get(address).context["items"]
    assert (mine["approve"].allowed, mine["reject"].allowed) == (False, True)
    said = api(nina).get(f"exceptions/{case.ref}").json()["proposal"]
    assert (said["approvers"], said["first_approval"]["decider"]["username"]) == (2, "conrad")
    # Who has a page open that said they would be the first carries out nothing by it, now that they are the last.
    late = signed_in(nina).post(reverse("exceptions:approve", args=[case.ref]), sent | {"as_first": "True"})
    assert late.status_code == 409
    assert "Conrad Controller approved it meanwhile, so that yours would carry it out." in late.content.decode()
    approving, in_german = reverse("exceptions:approve", args=[case.ref]), {"Accept-Language": "de"}
    german = signed_in(nina).post(approving, sent | {"as_first": "True"}, headers=in_german)
    assert "Conrad Controller hat es inzwischen genehmigt" in german.content.decode()
    one = {"frozen_sha256": proposal.frozen_sha256, "as_first": True}
    answer = api(nina).post(f"exceptions/{case.ref}/approve", one)
    assert (answer.status_code, answer.json()["type"].rpartition("#")[2]) == (409, "approval-no-longer-holds")
    assert "you would be the second of two" in shown(nina)
    waiting = {who: api(who).get("proposals").json()["results"] for who in (cast.controller, nina)}
    assert [len(rows) for rows in waiting.values()] == [0, 1]
    answer = api(nina).post(f"exceptions/{case.ref}/approve", {"frozen_sha256": proposal.frozen_sha256})
    assert (answer.status_code, answer.json()["state"]) == (200, "replaying")
    assert signed_in(nina).get(address).context["approved_by"] == "Conrad Controller and Nina Newcomer"
