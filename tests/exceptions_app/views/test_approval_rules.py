"""The page of the rules of approval, what the page of an exception and the API say of them."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from audit.queries import timeline
from exceptions_app.models import ApprovalRule, Proposal
from tests import factories
from tests.cast import Cast, person
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
        {"above": "12,345"}, {"above": "many"}, {"currency": "XQX"}, {"because": ""}, {"approvers": "1"},
        {"role": "nobody"}, {"replaces": "987654321"},
    ):  # fmt: skip
        refused = ada.post(new, TYPED | wrong)
        assert (refused.status_code, ApprovalRule.objects.count()) == (422, 0), wrong
        [field] = set(refused.context["form"].errors)
        assert field in (*wrong, "__all__")
        assert refused.context["form"]["above"].value() == (TYPED | wrong)["above"]
    assert ada.post(new, TYPED).status_code == 302
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
    one = {"frozen_sha256": proposal.frozen_sha256, "as_first": True}
    answer = api(nina).post(f"exceptions/{case.ref}/approve", one)
    assert (answer.status_code, answer.json()["type"].rpartition("#")[2]) == (409, "approval-no-longer-holds")
    assert "you would be the second of two" in shown(nina)
    waiting = {who: api(who).get("proposals").json()["results"] for who in (cast.controller, nina)}
    assert [len(rows) for rows in waiting.values()] == [0, 1]
    answer = api(nina).post(f"exceptions/{case.ref}/approve", {"frozen_sha256": proposal.frozen_sha256})
    assert (answer.status_code, answer.json()["state"]) == (200, "replaying")
    assert signed_in(nina).get(address).context["approved_by"] == "Conrad Controller and Nina Newcomer"
