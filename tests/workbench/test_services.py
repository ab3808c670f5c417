"""Service accounts: tokens with scopes, an owner and an end; short-lived tokens by OAuth 2; and never a decision."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions.batch_decide import approve_batch
from exceptions_app.actions.batch_propose import propose_batch
from exceptions_app.actions.decide import approve
from exceptions_app.actions.delegations import delegate
from exceptions_app.actions.grants import _give, add_to_role, grant_connection, grant_verbs
from exceptions_app.actions.mover import Invalid
from exceptions_app.api.scopes import SCOPE_OF, SCOPES
from exceptions_app.api.urls import urlpatterns
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Decision, FirstApproval, Proposal
from exceptions_app.policies import NotPermitted
from exceptions_app.states import Verb
from tests import factories
from tests.cast import Cast, cast, grant, person, signed_in
from tests.concurrency import at_the_same_time
from workbench import services
from workbench.models import ApiToken, ServiceAccount, User
from workbench.tokens import create_api_token

__all__ = ["cast", "signed_in"]
pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
WHY = "The ERP hands its refusals in."
FOR_PEOPLE = """
    approve reject approve-batch reject-batch approve-mapping reject-mapping reveal delegations end-delegation
    bulk bulk-runs pause-bulk-run resume-bulk-run cancel-bulk-run stop-sending resume-sending
    access-reviews confirm-access end-access close-access-review cancel-access-review
    emergencies end-emergency review-emergency field-map-versions use-field-map
    playbook decide-playbook case-playbook join-cause take-back-cause split-cause
    audit-exports pause-audit-export resume-audit-export cancel-audit-export
"""


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    cache.clear()


@pytest.fixture
def erp(cast: Cast) -> ServiceAccount:
    """A service account that sees what a clerk sees."""
    made = services.make_service_account(
        "erp", purpose="Intake of the ERP", owner=cast.clerk, ends_at=now() + timedelta(days=30),
        by=cast.administrator, at=now(), because=WHY,
    )  # fmt: skip
    grant(made.user, [Verb.SEE, Verb.COMMENT, Verb.CORRECT, Verb.PROPOSE], cast.einvoicing, cast.netherlands)
    return made


def token_of(account: ServiceAccount, cast: Cast, *scopes: str, **more: Any) -> str:
    given: dict[str, Any] = {"name": f"{scopes} {more}", "days": 10, "by": cast.administrator, "at": now()}
    return services.make_service_token(account, scopes=scopes, **given | more)


def ask(text: str, path: str, body: Any = None) -> tuple[int, str, str]:
    """Status, kind of problem and what the challenge says."""
    client, headers = Client(raise_request_exception=False), {"authorization": f"Bearer {text}"}
    if body is None:
        answer: Any = client.get(f"/api/v1/{path}", headers=headers)
    else:
        answer = client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)
    kind = answer.json().get("type", "") if "problem" in answer["Content-Type"] else ""
    return answer.status_code, kind.rpartition("#")[2], answer.get("WWW-Authenticate", "")


def test_scope_is_asked_before_anything_is_looked_at(cast: Cast, erp: ServiceAccount):
    case = factories.make_case(cast)
    elsewhere = factories.make_case(cast, queue=cast.holds)
    reading, commenting = token_of(erp, cast, "read"), token_of(erp, cast, "comment", "read")
    assert ask(reading, f"exceptions/{case.ref}")[0] == 200
    for ref in (case.ref, elsewhere.ref, "EX-987654321"):  # whether it is there or not
        refused = (403, "insufficient-scope", 'Bearer error="insufficient_scope", scope="comment"')
        assert ask(reading, f"exceptions/{ref}/comment", {"text": "Hello."}) == refused
        assert ask(reading, f"exceptions/{ref}/approve", {}) == (
            403,
            "insufficient-scope",
            'Bearer error="insufficient_scope"',
        )
    assert ask(commenting, f"exceptions/{case.ref}/comment", {"text": "Hello."})[0] == 201
    for ref in (elsewhere.ref, "EX-987654321"):
        assert ask(commenting, f"exceptions/{ref}/comment", {"text": "Hello."})[:2] == (404, "not-found")
    assert ask(token_of(erp, cast, "comment"), f"exceptions/{case.ref}")[:2] == (403, "insufficient-scope")
    told = AuditEvent.objects.filter(action="person.refused", actor="service:erp", data__what="POST api:approve")
    assert told.count() == 3
    _, whole = create_api_token(cast.clerk, name="of a person, as before", at=now())
    assert ask(whole, f"exceptions/{case.ref}/comment", {"text": "Hello."})[0] == 201
    names = {pattern.name for pattern in urlpatterns}
    assert set(SCOPE_OF) <= names
    assert set(SCOPE_OF.values()) <= set(SCOPES)
    changing = {
        one.name
        for one in urlpatterns
        if {"post", "put", "patch", "delete"} & set(dir(getattr(one.callback, "cls", None)))
    }
    assert changing - set(SCOPE_OF) == set(FOR_PEOPLE.split())


def test_scope_for_work_holds_tags_beside_claiming(cast: Cast, erp: ServiceAccount):
    case, working = factories.make_case(cast), token_of(erp, cast, "correct")
    assert ask(working, f"exceptions/{case.ref}/tag", {"add": ["vat"]})[0] == 200
    assert ask(working, f"exceptions/{case.ref}/claim", {})[0] == 200


def test_tokens_stop_with_their_time_their_account_and_its_owner(cast: Cast, erp: ServiceAccount):
    text = token_of(erp, cast, "read")
    assert ask(text, "me")[0] == 200
    stored = erp.user.api_tokens.get()
    assert stored.last_used_at is not None
    assert text not in stored.digest
    assert stored.expires_at is not None
    assert token_of(erp, cast, "read", days=300)
    assert {one.expires_at for one in erp.user.api_tokens.all()} == {stored.expires_at, erp.ends_at}
    for table, gone in (
        (User.objects.filter(pk=erp.owner_id), {"is_active": False}),
        (User.objects.filter(pk=erp.pk), {"is_active": False}),
        (ServiceAccount.objects.all(), {"ends_at": now() - timedelta(seconds=1)}),
    ):
        with transaction.atomic():
            table.update(**gone)
            assert ask(text, "me")[:2] == (401, "unauthenticated")
            transaction.set_rollback(True)
    assert ask(text, "me")[0] == 200
    services.end_service_account(erp, by=cast.administrator, at=now())
    services.end_service_account(erp, by=cast.administrator, at=now())
    assert ask(text, "me")[0] == 401
    assert not ApiToken.objects.exists()
    assert AuditEvent.objects.filter(action="person.changed", subject="person:service:erp").count() == 1
    with pytest.raises(Invalid, match="no token of it would work"):
        token_of(erp, cast, "read")


def test_never_signs_in_approves_or_decides(cast: Cast, erp: ServiceAccount):
    by = machine(SETUP)
    with pytest.raises(NotPermitted, match="service account"):
        grant_verbs([Verb.APPROVE], erp.user, [cast.einvoicing], by=by, at=now())
    with pytest.raises(NotPermitted, match="service account"):
        grant_verbs([Verb.EMERGENCY], erp.user, [cast.einvoicing], by=by, at=now())
    with pytest.raises(NotPermitted, match="service account"):
        add_to_role("controller", erp.user, by=by, at=now())
    assert add_to_role("support", erp.user, by=by, at=now())
    with pytest.raises(Invalid, match="sees nothing of what you decide on"):
        delegate(erp.user, first_day=now().date(), last_day=now().date(), by=cast.controller, at=now(), because="Away.")
    for change in ({"is_staff": True}, {"is_superuser": True}, {"password": "md5$salt$anything"}):
        with pytest.raises(IntegrityError, match="service_account_opens_no_door"), transaction.atomic():
            User.objects.filter(pk=erp.pk).update(**change)
    for lacking in ({"scopes": None, "expires_at": now()}, {"scopes": ["read"], "expires_at": None}):
        with pytest.raises(IntegrityError, match="has scopes and an end"), transaction.atomic():
            ApiToken.objects.create(user=erp.user, name="all", digest="0" * 64, created_at=now(), **lacking)
    token_of(erp, cast, "read")
    with pytest.raises(IntegrityError, match="scopes is never changed"), transaction.atomic():
        ApiToken.objects.update(scopes=["propose"])
    for place in (cast.einvoicing, cast.netherlands):  # past the check of the actions
        _give(["approve"], erp.user, place, by=by, at=now(), because="")
    with pytest.raises(IntegrityError, match="no service account"), transaction.atomic():
        connection.check_constraints()
    erp.user.refresh_from_db()
    transaction.set_rollback(True)


def test_who_answers_for_it_does_not_approve_what_it_did(cast: Cast):
    """By a token of it, its owner would be both of two."""
    made = services.make_service_account(
        "erp", purpose="Intake of the ERP", owner=cast.controller, ends_at=now() + timedelta(days=30),
        by=cast.administrator, at=now(), because=WHY,
    )  # fmt: skip
    person("nina", "Nina Newcomer", role="controller")
    grant(made.user, [Verb.SEE, Verb.CORRECT, Verb.PROPOSE], cast.einvoicing, cast.netherlands)
    with pytest.raises(NotPermitted, match=r"Conrad Controller may approve .*hand messages in .*by service:erp"):
        grant_connection("ingest_messages", made.user, cast.connection, by=cast.administrator, at=now())
    cases = [factories.make_case(cast) for _ in range(2)]
    for case in cases:
        factories.make_proposal(case, made.user, at=now())
        case.refresh_from_db()
    shown = Proposal.objects.get(case=cases[0])
    signed: dict[str, Any] = {"by": cast.controller, "at": now()}
    with pytest.raises(NotPermitted, match=r"You answer for the service account that had.*Nina Newcomer"):
        approve(cases[0].pk, frozen_sha256=shown.frozen_sha256, **signed)
    for table in (Decision, FirstApproval):
        with pytest.raises(IntegrityError, match="contributed to proposal"), transaction.atomic():
            table.objects.create(
                proposal=shown, verdict="approved", decider=cast.controller, decided_at=now(),
                frozen_sha256=shown.frozen_sha256,
            )  # fmt: skip
    batch = propose_batch([case.pk for case in cases], by=made.user, at=now(), because="Together.")
    with pytest.raises(NotPermitted, match="You had a hand in this"):
        approve_batch(batch.pk, frozen_sha256=batch.frozen_sha256, **signed)


def test_who_makes_what_and_what_is_refused(cast: Cast, signed_in: SignIn):
    page = "/accounts/services/"
    for who in (cast.clerk, cast.controller, cast.auditor):
        assert signed_in(who).get(page).status_code == 403
        assert signed_in(who).post(f"{page}make/").status_code == 403
    browser = signed_in(cast.administrator)
    until = (now() + timedelta(days=20)).date().isoformat()
    typed = {"name": "erp", "purpose": "Intake", "owner": "clara", "until": until, "because": WHY}
    for field, wrong in (("name", "ERP!"), ("until", "2199-01-01"), ("owner", "nobody"), ("because", "")):
        answer = browser.post(f"{page}make/", typed | {field: wrong})
        assert (answer.status_code, field in answer.context["form"].errors) == (422, True), field
    assert browser.post(f"{page}make/", typed).status_code == 302
    assert browser.post(f"{page}make/", typed).status_code == 422
    account = ServiceAccount.objects.get()
    assert account.last_day.isoformat() == until
    event = AuditEvent.objects.get(action="person.added")
    assert (event.actor, event.data["owner"], event.because) == ("ada", "clara", WHY)
    tokens = f"{page}{account.pk}/tokens/"
    asked = {"name": "nightly", "kind": "token", "scopes": ["read", "hand_over"], "days": "5"}
    assert browser.post(tokens, asked | {"scopes": ["approve"]}).status_code == 422
    made = browser.post(tokens, asked)
    text = made.context["made"]["text"]
    assert (made.status_code, made["Cache-Control"].count("no-store")) == (200, 1)
    assert text in made.content.decode()
    assert text not in browser.get(page).content.decode()
    assert text not in str(AuditEvent.objects.filter(action="token.made").values())
    assert browser.post(tokens, asked).status_code == 422  # the name is taken
    assert ask(text, "me")[0] == 200
    assert browser.post(f"{page}{account.pk}/withdraw/", {"name": "nightly"}).status_code == 302
    assert ask(text, "me")[0] == 401
    assert browser.post(f"{page}{account.pk}/withdraw/", {"name": "nightly"}).status_code == 302
    assert browser.post(f"{page}987654/end/").status_code == 404
    session = browser.session
    session["proved_at"] = 0.0
    session.save()
    assert browser.post(tokens, asked).status_code == 403  # asks for a proof first
    assert not ApiToken.objects.exists()


def basic(client: str, secret: str) -> dict[str, str]:
    credentials = f"{quote(client, safe='')}:{secret}"
    return {"authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}


def exchange(body: dict[str, str] | str, **headers: str) -> tuple[int, dict[str, Any], Any]:
    form = body if isinstance(body, str) else "&".join(f"{name}={value}" for name, value in body.items())
    answer: Any = Client(raise_request_exception=False).post(
        "/oauth/token", form, content_type="application/x-www-form-urlencoded", headers=headers
    )
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    return answer.status_code, answer.json(), answer


@pytest.mark.django_db(transaction=True)
def test_name_that_two_give_at_the_same_time_is_given_once(cast: Cast):
    def make() -> ServiceAccount:
        return services.make_service_account(
            "erp", purpose="Intake", owner=cast.clerk, ends_at=now() + timedelta(days=9), by=cast.administrator,
            at=now(), because=WHY,
        )  # fmt: skip

    made = at_the_same_time([make] * 3)
    refused = [one for one in made if isinstance(one, Invalid)]
    assert [(one.field, "of this name already" in one.problem) for one in refused] == [("name", True)] * 2
    assert ServiceAccount.objects.get().user.username == "service:erp"
    assert AuditEvent.objects.filter(action="person.added", subject="person:service:erp").count() == 1


def test_client_credentials_give_a_token_of_some_minutes(cast: Cast, erp: ServiceAccount, time_machine: Any):
    secret = token_of(erp, cast, "read", "comment", kind="secret")
    case = factories.make_case(cast)
    grants = {"grant_type": "client_credentials"}
    assert ask(secret, "me")[0] == 401  # a secret is no token
    status, given, _ = exchange(grants, **basic("service:erp", secret))
    assert (status, given["token_type"], given["expires_in"], given["scope"]) == (200, "Bearer", 600, "comment read")
    status, narrow, _ = exchange(grants | {"client_id": "service:erp", "client_secret": secret, "scope": "read"})
    assert (status, narrow["scope"]) == (200, "read")
    assert ask(given["access_token"], f"exceptions/{case.ref}/comment", {"text": "Hello."})[0] == 201
    assert ask(narrow["access_token"], f"exceptions/{case.ref}/comment", {"text": "Hello."})[1] == "insufficient-scope"
    assert ask(narrow["access_token"] + "x", "me")[0] == 401
    assert AuditEvent.objects.filter(action="token.issued", actor="service:erp").count() == 2
    plain = token_of(erp, cast, "read")
    wrong: tuple[tuple[dict[str, str] | str, dict[str, str], int, str], ...] = (
        (grants, basic("service:erp", "wrong"), 401, "invalid_client"),
        (grants, basic("service:erp", plain), 401, "invalid_client"),
        (grants, basic("clara", secret), 401, "invalid_client"),
        (grants, {"authorization": "Basic ###"}, 401, "invalid_client"),
        (grants, {}, 401, "invalid_client"),
        ({}, basic("service:erp", secret), 400, "invalid_request"),
        ("grant_type=client_credentials&grant_type=x", basic("service:erp", secret), 400, "invalid_request"),
        (grants | {"client_secret": secret}, basic("service:erp", secret), 400, "invalid_request"),
        ({"grant_type": "password"}, basic("service:erp", secret), 400, "unsupported_grant_type"),
        (grants | {"scope": "read propose"}, basic("service:erp", secret), 400, "invalid_scope"),
    )
    for body, headers, status, code in wrong:
        got, refused, answer = exchange(body, **headers)
        assert (got, refused["error"]) == (status, code), (body, headers)
        assert (got == 401) is ("WWW-Authenticate" in answer)
    assert Client().get("/oauth/token").status_code == 405
    with transaction.atomic():
        User.objects.filter(pk=erp.owner_id).update(is_active=False)
        assert ask(given["access_token"], "me")[0] == 401
        assert exchange(grants, **basic("service:erp", secret))[0] == 401
        transaction.set_rollback(True)
    time_machine.move_to(now() + timedelta(seconds=601))
    assert ask(given["access_token"], "me")[0] == 401
    _, fresh, _ = exchange(grants, **basic("service:erp", secret))
    services.withdraw_service_token(erp, name=ApiToken.objects.get(kind="secret").name, by=cast.administrator, at=now())
    assert ask(fresh["access_token"], "me")[0] == 401


def test_guessing_is_slowed_down(cast: Cast, erp: ServiceAccount):
    secret, grants = token_of(erp, cast, "read", kind="secret"), {"grant_type": "client_credentials"}
    for _ in range(12):
        assert exchange(grants, **basic("service:erp", secret))[0] == 200  # what is right is not counted
    statuses = [exchange(grants, **basic("service:erp", "wrong"))[0] for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert exchange(grants, **basic("service:erp", secret))[0] == 429
