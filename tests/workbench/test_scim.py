"""SCIM 2.0: a directory adds people, gives the roles of its groups, and ends who leaves within one request."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.conf import LazySettings
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils.timezone import now

from audit import log
from audit.models import AuditEvent
from exceptions_app.actions.decide import approve
from exceptions_app.actions.delegations import delegate
from exceptions_app.actions.emergencies import take_emergency
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.propose import propose_dismissal
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Decision, Delegation, Emergency
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Outcome, Verb
from tests import factories
from tests.cast import Cast, cast, give_role, grant, signed_in
from tests.concurrency import at_the_same_time
from workbench import services
from workbench.models import Session, User
from workbench.tokens import create_api_token

__all__ = ["cast", "signed_in"]
pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
Ask = Callable[..., tuple[int, Any]]
CountQueries = Callable[..., Any]
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@pytest.fixture
def ask(cast: Cast, settings: LazySettings) -> Ask:
    """As the directory, by its service account."""
    settings.OIDC_ISSUER, settings.OIDC_ROLES = (
        "https://login.example",
        {"Tax clerks": "clerk", "Tax leads": "controller"},
    )
    account = services.make_service_account(
        "directory", purpose="Joiners and leavers", owner=cast.administrator, ends_at=now() + timedelta(days=30),
        by=cast.administrator, at=now(), because="The directory says who works here.",
    )  # fmt: skip
    made: dict[str, Any] = {"days": 9, "by": cast.administrator, "at": now()}
    tokens = {
        scope: services.make_service_token(account, name=scope, scopes=[scope], **made) for scope in ("scim", "read")
    }

    def ask(method: str, path: str, body: Any = None, *, token: str = "scim") -> tuple[int, Any]:
        answer: Any = Client(raise_request_exception=False).generic(
            method, f"/scim/v2/{path}", "" if body is None else json.dumps(body),
            content_type="application/scim+json", headers={"authorization": f"Bearer {tokens.get(token, token)}"},
        )  # fmt: skip
        assert answer["Content-Type"].startswith("application/scim+json"), path
        if answer.status_code >= 400:
            assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
            assert answer.json()["status"] == str(answer.status_code)
        return answer.status_code, answer.json()

    return ask


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(operations)}


LEAVES = patch({"op": "Replace", "path": "active", "value": "False"})


def test_joiner_is_found_and_has_the_roles_of_their_groups(cast: Cast, ask: Ask):
    body = {
        "userName": "nina@example.test", "externalId": "sub-4711", "active": True,
        "name": {"givenName": "Nina", "familyName": "New"}, "emails": [{"value": "nina@example.test", "primary": True}],
    }  # fmt: skip
    status, made = ask("POST", "Users", body)
    assert (status, made["userName"], made["externalId"], made["active"], made["groups"]) == (
        201, "nina@example.test", "sub-4711", True, [],
    )  # fmt: skip
    nina = User.objects.get(username="nina@example.test")
    assert not nina.has_usable_password()
    assert SocialAccount.objects.get(user=nina).provider == "https://login.example"
    assert reach_of(nina).on_queues == {}
    for again in (body, body | {"userName": "other"}, body | {"userName": "NINA@example.test", "externalId": "x"}):
        assert (ask("POST", "Users", again)[0], ask("POST", "Users", again)[1]["scimType"]) == (409, "uniqueness")
    unusable: list[Any] = [{"userName": "a b"}, {"userName": ""}, {}, [], body | {"active": "perhaps"}]
    for wrong in (*unusable, body | {"userName": "service:x"}):
        assert ask("POST", "Users", wrong)[0] == 400, wrong
    for found in ('userName eq "NINA@example.test"', 'externalId eq "sub-4711"'):
        status, page = ask("GET", f"Users?filter={found}".replace(" ", "%20").replace('"', "%22"))
        assert (status, page["totalResults"], page["Resources"][0]["id"]) == (200, 1, made["id"])
    assert ask("GET", "Users?filter=title%20pr")[1]["scimType"] == "invalidFilter"
    assert ask("GET", "Users?count=1&startIndex=2")[1]["itemsPerPage"] == 1
    listed = {one["userName"] for one in ask("GET", "Users")[1]["Resources"]}
    assert "clara" in listed
    assert not any(name.startswith(("machine:", "service:")) for name in listed)
    clerks = next(one for one in ask("GET", "Groups")[1]["Resources"] if one["displayName"] == "Tax clerks")
    address, member = f"Groups/{clerks['id']}", {"value": made["id"]}
    assert ask("PATCH", address, patch({"op": "add", "path": "members", "value": [member]}))[0] == 200
    assert list(nina.groups.values_list("name", flat=True)) == ["clerk"]
    assert AuditEvent.objects.get(action="role.given", subject="person:nina@example.test").actor == "machine:scim"
    assert made["id"] in {one["value"] for one in ask("GET", address)[1]["members"]}
    assert ask("PATCH", address, patch({"op": "remove", "path": f'members[value eq "{made["id"]}"]'}))[0] == 200
    assert not nina.groups.exists()
    assert ask("POST", "Groups", {"displayName": "Tax clerks"})[0] == 409
    assert ask("POST", "Groups", {"displayName": "Golfers"})[0] == 400
    renamed = patch({"op": "replace", "value": {"name": {"familyName": "Newer"}, "active": True}})
    assert ask("PATCH", f"Users/{made['id']}", renamed)[1]["name"] == {"givenName": "Nina", "familyName": "Newer"}
    assert ask("PATCH", f"Users/{made['id']}", patch({"op": "replace", "path": "userName", "value": "x"}))[0] == 400


def test_leaver_loses_everything_within_one_request(cast: Cast, ask: Ask, signed_in: SignIn):
    conrad = cast.controller
    browser = signed_in(conrad)
    delegate(
        cast.support, first_day=now().date(), last_day=now().date() + timedelta(days=3), by=conrad, at=now(),
        because="Away.",
    )  # fmt: skip
    create_api_token(conrad, name="own", at=now())
    grant(conrad, [Verb.EMERGENCY], cast.einvoicing, cast.netherlands)
    take_emergency(
        cast.einvoicing, cast.netherlands, role="clerk", minutes=30, by=conrad, at=now(), because="It cannot wait."
    )
    waiting = factories.make_case(cast)
    factories.make_proposal(waiting, cast.clerk, at=now())
    assert browser.get("/approvals/").status_code == 200
    status, told = ask("PATCH", f"Users/{conrad.pk}", LEAVES)
    assert (status, told["active"]) == (200, False)
    conrad.refresh_from_db()
    assert not conrad.is_active
    assert not Session.objects.filter(user=conrad).exists()
    assert not conrad.api_tokens.exists()
    assert Delegation.objects.get().ended_at is not None
    assert Emergency.objects.get().ended_at is not None
    assert browser.get("/approvals/").status_code == 302
    assert reach_of(conrad).on_queues == {}
    names = AuditEvent.objects.filter(actor="machine:scim").values_list("action", flat=True)
    assert {"person.sessions_ended", "token.withdrawn", "delegation.ended", "emergency.ended", "person.changed"} <= {
        *names
    }
    before = AuditEvent.objects.count()
    assert ask("PATCH", f"Users/{conrad.pk}", LEAVES)[0] == 200  # once is enough
    assert AuditEvent.objects.count() == before
    assert ask("PATCH", f"Users/{conrad.pk}", patch({"op": "replace", "value": {"active": True}}))[1]["active"] is True
    assert not conrad.api_tokens.exists()


def test_who_left_a_group_while_away_does_not_come_back_into_it(
    cast: Cast, ask: Ask, django_assert_num_queries: CountQueries
):
    with django_assert_num_queries(4):  # the token and its last use; then the people, and their roles
        groups = {one["displayName"]: one for one in ask("GET", "Groups")[1]["Resources"]}
    clerks, conrad = f"Groups/{groups['Tax clerks']['id']}", cast.controller
    leads = f"Groups/{groups['Tax leads']['id']}"
    assert [one["value"] for one in groups["Tax leads"]["members"]] == [str(conrad.pk)]
    assert ask("PATCH", f"Users/{conrad.pk}", LEAVES)[0] == 200
    back = patch({"op": "replace", "value": {"active": True}})
    # What nobody may hold beside the role was given meanwhile, which harmed nobody then.
    grant_connection("ingest_messages", conrad, cast.connection, by=machine(SETUP), at=now())
    assert ask("PATCH", f"Users/{conrad.pk}", back)[0] == 403
    gone = patch({"op": "remove", "path": f'members[value eq "{conrad.pk}"]'})
    assert ask("PATCH", leads, gone)[1]["members"] == []
    assert ask("PATCH", clerks, patch({"op": "replace", "path": "members", "value": []}))[1]["members"] == []
    assert ask("PATCH", f"Users/{conrad.pk}", back)[1]["groups"] == []
    assert not conrad.groups.exists()
    assert not cast.clerk.groups.exists()
    ada, own = cast.administrator, {"value": str(cast.administrator.pk)}  # who answers for the account that asks
    assert ask("PATCH", clerks, patch({"op": "add", "path": "members", "value": [own]}))[1]["members"] == []
    assert AuditEvent.objects.get(action="role.not_given", subject="person:ada").actor == "machine:scim"
    address = patch({"op": "replace", "value": {"emails": [{"value": "other@example.test"}]}})
    assert ask("PATCH", f"Users/{ada.pk}", address)[0] == 403
    assert User.objects.get(pk=ada.pk).email == ada.email
    with transaction.atomic():  # what one superuser took from another, no directory gives back
        User.objects.filter(pk=cast.support.pk).update(is_superuser=True, is_active=False)
        assert ask("PATCH", f"Users/{cast.support.pk}", back)[0] == 403
        assert not User.objects.get(pk=cast.support.pk).is_active
        transaction.set_rollback(True)


def test_group_that_is_renamed_keeps_its_members(cast: Cast, ask: Ask):
    """Directories send the name at each push of a group, without a path and without its members."""
    group = next(one for one in ask("GET", "Groups")[1]["Resources"] if one["displayName"] == "Tax clerks")
    address, clerks = f"Groups/{group['id']}", {str(cast.clerk.pk), str(cast.second_clerk.pk)}
    before = AuditEvent.objects.count()

    def members(*operations: dict[str, Any]) -> set[str]:
        status, said = ask("PATCH", address, patch(*operations))
        assert status == 200, said
        return {one["value"] for one in said["members"]}

    own = {"id": group["id"], "displayName": "Tax clerks"}
    for operation in ("add", "replace"):
        assert members({"op": operation, "value": own}) == clerks
        assert members({"op": operation, "path": "displayName", "value": "Tax clerks"}) == clerks
        for value, kind in (
            ({"displayName": "Tax experts"}, "mutability"),
            ({"displayName": "Tax experts", "members": []}, "mutability"),
            ({"colour": "red"}, "invalidPath"),
            ([], "invalidSyntax"),
        ):
            status, said = ask("PATCH", address, patch({"op": operation, "value": value}))
            assert (status, said["scimType"]) == (400, kind), value
    assert members({"op": "remove", "path": "members", "value": []}) == clerks
    for removal, kind in (
        ({"op": "remove"}, "noTarget"),
        ({"op": "remove", "value": {"members": [{"value": str(cast.clerk.pk)}]}}, "noTarget"),
        ({"op": "remove", "path": "displayName"}, "mutability"),
        ({"op": "remove", "path": "id"}, "invalidPath"),
    ):
        status, said = ask("PATCH", address, patch(removal))
        assert (status, said["scimType"]) == (400, kind), removal
    assert AuditEvent.objects.count() == before
    # With its members, without a path, it is these.
    sara = str(cast.support.pk)
    assert members({"op": "add", "value": own | {"members": [{"value": sara}]}}) == {*clerks, sara}
    assert members({"op": "replace", "value": own | {"Members": [{"value": sara}]}}) == {sara}
    assert members({"op": "remove", "path": "members"}) == set()


def test_identity_from_before_is_found_with_the_slash_of_its_issuer(cast: Cast, ask: Ask):
    """A second account would be made, and the person would come into the first one at their next sign-in."""
    with transaction.atomic():
        log.record(
            "person.joined", subject="person:clara", scope="", actor="ada", at=now(), summary="From before.", data={}
        )
        SocialAccount.objects.create(user=cast.clerk, provider="https://login.example/", uid="sub-1")
    found = ask("GET", "Users?filter=externalId%20eq%20%22sub-1%22")[1]["Resources"]
    assert [(one["userName"], one["externalId"]) for one in found] == [("clara", "sub-1")]
    status, refused = ask("POST", "Users", {"userName": "clara-2", "externalId": "sub-1"})
    assert (status, refused["scimType"]) == (409, "uniqueness")
    assert not User.objects.filter(username="clara-2").exists()


def test_two_groups_for_one_role_are_refused(cast: Cast, ask: Ask, settings: LazySettings):
    """What is taken with one of them would be taken from who has it by the other."""
    settings.OIDC_ROLES = settings.OIDC_ROLES | {"Tax juniors": "clerk"}
    groups = {one["displayName"]: one["id"] for one in ask("GET", "Groups")[1]["Resources"]}
    gone = patch({"op": "remove", "path": f'members[value eq "{cast.clerk.pk}"]'})
    for name in ("Tax clerks", "Tax juniors"):
        status, refused = ask("PATCH", f"Groups/{groups[name]}", gone)
        assert status == 409
        assert "the role clerk to several groups (Tax clerks, Tax juniors)" in refused["detail"]
    assert cast.clerk.groups.filter(name="clerk").exists()
    joins = patch({"op": "add", "path": "members", "value": [{"value": str(cast.support.pk)}]})
    assert ask("PATCH", f"Groups/{groups['Tax leads']}", joins)[0] == 200


def test_who_answers_for_the_account_makes_no_second_person_by_it(cast: Cast, ask: Ask):
    otto = cast.outsider
    made: dict[str, Any] = {"days": 9, "by": cast.administrator, "at": now()}
    entra = services.make_service_account(
        "entra", purpose="Joiners", owner=otto, ends_at=now() + timedelta(days=30), by=cast.administrator, at=now(),
        because="The directory says who works here.",
    )  # fmt: skip
    text = services.make_service_token(entra, name="scim", scopes=["scim"], **made)
    give_role(otto, "clerk")
    with pytest.raises(Invalid, match=r"Otto Outsider answers for this account, and corrects, proposes or approves"):
        services.make_service_token(entra, name="another", scopes=["read", "scim"], **made)
    services.make_service_token(entra, name="another", scopes=["read"], **made)

    added = ask("POST", "Users", {"userName": "otto2", "externalId": "sub-2"}, token=text)[1]
    groups = {one["displayName"]: one["id"] for one in ask("GET", "Groups")[1]["Resources"]}
    joins = patch({"op": "add", "path": "members", "value": [{"value": added["id"]}]})
    assert ask("PATCH", f"Groups/{groups['Tax leads']}", joins, token=text)[0] == 200
    events = AuditEvent.objects.filter(subject="person:otto2").values_list("action", "actor", "data__through")
    assert sorted(events) == [
        ("person.added", "machine:scim", "service:entra"), ("role.given", "machine:scim", "service:entra"),
    ]  # fmt: skip
    second, case = User.objects.get(username="otto2"), factories.make_case(cast)
    proposal = factories.make_proposal(case, otto, at=now())
    with pytest.raises(NotPermitted, match="Otto Outsider, who had a hand in this, changed your account"):
        approve(case.pk, by=second, at=now(), frozen_sha256=proposal.frozen_sha256)
    with pytest.raises(IntegrityError, match="changed the account of user"), transaction.atomic():
        Decision.objects.create(
            proposal=proposal, verdict="approved", decider=second, decided_at=now(),
            frozen_sha256=proposal.frozen_sha256,
        )  # fmt: skip
    # Of what somebody else proposed, it is nobody's second account.
    other = factories.make_case(cast)
    said: dict[str, Any] = {"at": now(), "because": "It was put right there."}
    fine = propose_dismissal(other.pk, outcome=Outcome.FIXED_AT_SOURCE, by=cast.clerk, **said)
    approve(other.pk, by=second, at=now(), frozen_sha256=fine.frozen_sha256)
    assert Decision.objects.get(proposal=fine).decider == second


def test_what_a_directory_may_not(cast: Cast, ask: Ask):
    assert ask("GET", "Users", token="read")[0] == 403
    assert ask("GET", "Users", token="nobody's")[0] == 401
    assert ask("GET", "Users/987654321")[0] == 404
    assert ask("PATCH", f"Users/{machine(SETUP).pk}", LEAVES)[0] == 404
    status, refused = ask("PATCH", f"Users/{cast.administrator.pk}", LEAVES)
    assert (status, refused["detail"]) == (409, "Nobody would be left who can administer.")
    with transaction.atomic():
        User.objects.filter(pk=cast.support.pk).update(is_superuser=True)
        assert ask("PATCH", f"Users/{cast.support.pk}", LEAVES)[0] == 403
        transaction.set_rollback(True)
    for wrong in ({}, patch(), patch({"op": "move"}), patch({"op": "replace", "path": "active", "value": 1})):
        assert ask("PATCH", f"Users/{cast.clerk.pk}", wrong)[0] == 400, wrong
    assert ask("GET", "ServiceProviderConfig")[1]["patch"] == {"supported": True}
    assert [one["id"] for one in ask("GET", "ResourceTypes")[1]["Resources"]] == ["User", "Group"]
    schema = "urn:ietf:params:scim:schemas:core:2.0:User"
    assert ask("GET", f"Schemas/{schema}")[1]["id"] == schema
    assert ask("GET", "Schemas/nothing")[0] == 404


@pytest.mark.django_db(transaction=True)
def test_person_added_at_the_same_time_is_one_account(ask: Ask):
    added = at_the_same_time([lambda: ask("POST", "Users", {"userName": "nils", "externalId": "n-1"})] * 3)
    assert sorted(status for status, _ in added) == [201, 409, 409]
    assert {said.get("scimType") for status, said in added if status == 409} == {"uniqueness"}
    assert User.objects.filter(username="nils").count() == 1
