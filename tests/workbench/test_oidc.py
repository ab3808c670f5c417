"""Single sign-on against a provider on loopback: who comes in as whom, with which roles, and what is not believed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils.timezone import now

from audit import log
from audit.models import AuditEvent
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.propose import propose_replay
from exceptions_app.machines import SETUP, machine
from exceptions_app.policies import NotPermitted
from tests.cast import MORNING, PASSWORD, Cast, cast, signed_in
from tests.concurrency import at_the_same_time
from tests.exceptions_app.replay_batches.target import Target, refused_cases, target
from tests.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIDProvider, open_provider
from workbench import oidc
from workbench.attempts import FAILURES_PER_ADDRESS
from workbench.identities import join
from workbench.models import User

__all__ = ["cast", "signed_in", "target"]
GO, BACK = "/accounts/oidc/", "/accounts/oidc/callback/"
NINA = {
    "sub": "f3a1", "preferred_username": "nina", "email": "nina@example.test", "given_name": "Nina",
    "family_name": "New", "groups": ["Finance clerks", "Everybody"],
}  # fmt: skip


@pytest.fixture(scope="module")
def opened() -> Iterator[OpenIDProvider]:
    with open_provider() as provider:
        yield provider


@pytest.fixture
def provider(opened: OpenIDProvider, settings: LazySettings, cast: Cast) -> Iterator[OpenIDProvider]:
    settings.OIDC_ISSUER, settings.OIDC_NAME = opened.issuer, "Meridian"
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
    settings.OIDC_ROLES = {"Finance clerks": "clerk", "CN=Controllers,OU=Finance": "controller"}
    opened.person, opened.wrong, opened.issuer_said, opened.signs_with = dict(NINA), {}, "", opened.key
    cache.clear()
    yield opened
    cache.clear()


def to_provider(client: Client, **query: str) -> str:
    """Follow the button; returns where the provider sends the browser back to."""
    away = client.get(GO, query)
    assert away.status_code == 302, away.content.decode()
    return str(requests.get(away["Location"], allow_redirects=False, timeout=10).headers["Location"])


def come_in(client: Client, **query: str) -> Any:
    return client.get(to_provider(client, **query))


def told(username: str = "nina") -> list[str]:
    events = AuditEvent.objects.filter(subject=f"person:{username}").order_by("id")
    return list(events.values_list("action", flat=True))


def test_person_comes_in_by_the_button_with_the_roles_of_their_groups(cast: Cast, provider: OpenIDProvider):
    client = Client()
    page = client.get("/accounts/login/?next=/queue/").content.decode()
    assert "Sign in by Meridian" in page
    assert f'href="{GO}?next=/queue/"' in page.replace("%2F", "/")
    answer = come_in(client, next="/queue/")
    assert (answer.status_code, answer["Location"]) == (302, "/queue/")
    assert (provider.asked["code_challenge_method"], provider.asked["response_type"]) == ("S256", "code")
    assert "prompt" not in provider.asked
    assert client.get("/queue/").status_code == 200
    nina = User.objects.get(username="nina")
    assert (nina.get_full_name(), nina.has_usable_password(), nina.is_staff) == ("Nina New", False, False)
    assert list(nina.groups.values_list("name", flat=True)) == ["clerk"]
    assert told() == ["person.added", "role.given", "person.signed_in"]
    added, given, opened = AuditEvent.objects.filter(subject="person:nina").order_by("id")
    assert (added.actor, added.data) == ("machine:sign-on", {"issuer": provider.issuer, "subject": "f3a1"})
    assert (given.actor, given.because) == ("machine:sign-on", "By the groups that Meridian names.")
    assert (opened.actor, opened.data["issuer"]) == ("nina", provider.issuer)
    assert [one.browser for one in client.get("/accounts/sessions/").context["sessions"]] == ["Another program"]

    # Another name and address, other groups: the same person, by the subject alone.
    provider.person |= {"preferred_username": "nina.moved", "email": "other@example.test"}
    provider.person["groups"] = ["CN=Controllers,OU=Finance"]
    assert come_in(Client(), next="https://elsewhere.test/")["Location"] == "/"
    assert list(nina.groups.values_list("name", flat=True)) == ["controller"]
    assert told()[3:] == ["role.taken", "role.given", "person.signed_in"]
    for names_none in ("Everybody", [], None, "absent", {"Finance clerks": 1}, 7, [None, ["Finance clerks"], 1]):
        provider.person["groups"] = ["CN=Controllers,OU=Finance"]
        assert come_in(Client()).status_code == 302
        assert nina.groups.exists()
        provider.person["groups"] = names_none
        if names_none == "absent":
            del provider.person["groups"]
        assert come_in(Client()).status_code == 302, names_none
        assert not nina.groups.exists(), names_none

    # The same name and address, another subject: another person, and never an account that is there.
    provider.person = {"sub": "other", "preferred_username": "Clara", "email": cast.clerk.email}
    assert come_in(Client()).status_code == 302
    assert SocialAccount.objects.get(uid="other").user.username == "Clara-2"
    assert not SocialAccount.objects.filter(user=cast.clerk).exists()

    # An identity that was kept while the issuer was written with a slash at its end.
    old = SocialAccount.objects.create(user=cast.local_clerk, provider=f"{provider.issuer}/", uid="kept before")
    provider.person = {"sub": old.uid, "preferred_username": "Lars"}
    browser = Client()
    assert come_in(browser).status_code == 302
    assert browser.session["_auth_user_id"] == str(cast.local_clerk.pk)

    nina.refresh_from_db()
    User.objects.filter(pk=nina.pk).update(is_active=False)
    provider.person = dict(NINA)
    shut = come_in(Client())
    assert (shut.status_code, "not active" in shut.content.decode()) == (403, True)
    with pytest.raises(IntegrityError, match="no audit event about person:otto"), transaction.atomic():
        add_without_event(cast.outsider)


def test_role_that_is_refused_keeps_nobody_out_and_those_that_go_go_first(
    cast: Cast, provider: OpenIDProvider, settings: LazySettings
):
    feeders = Group.objects.create(name="feeders")
    signed: dict[str, Any] = {"by": machine(SETUP), "at": MORNING, "because": "Asked for."}
    grant_connection("ingest_messages", feeders, cast.connection, **signed)
    settings.OIDC_ROLES |= {"Feeders": "feeders", "Ghosts": "a role that nobody made"}
    provider.person["groups"] = ["Feeders", "CN=Controllers,OU=Finance", "Finance clerks", "Ghosts"]

    def roles() -> list[str]:
        assert come_in(Client()).status_code == 302
        return sorted(User.objects.get(username="nina").groups.values_list("name", flat=True))

    assert roles() == ["clerk", "controller"]
    refused = AuditEvent.objects.filter(action="role.not_given").order_by("id")
    assert [(event.subject, event.actor, event.data["role"]) for event in refused] == [
        ("person:nina", "machine:sign-on", "a role that nobody made"), ("person:nina", "machine:sign-on", "feeders"),
    ]  # fmt: skip
    assert "There is no role" in refused[0].summary
    assert "no person may hold both" in refused[1].summary
    # Who moves from one team to the other: the role that keeps them from the new one goes before it comes.
    for groups, now_held in ((["Feeders"], ["feeders"]), (["CN=Controllers,OU=Finance"], ["controller"])):
        provider.person["groups"] = groups
        assert roles() == now_held
    assert refused.count() == 2
    connection.check_constraints()


def test_account_from_before_is_joined_with_the_one_that_the_provider_made(cast: Cast, provider: OpenIDProvider):
    browser = Client()
    come_in(browser)
    nina, clara, ada = User.objects.get(username="nina"), cast.clerk, cast.administrator
    root, part = User.objects.create_superuser("root"), User.objects.get(pk=machine(SETUP).pk)
    signed: dict[str, Any] = {"by": ada, "at": now(), "because": "Her manager came along."}
    for kept, made, changes, refusal in (
        (clara, nina, {"by": clara}, NotPermitted), (ada, nina, {}, NotPermitted), (root, nina, {}, NotPermitted),
        (clara, nina, {"because": " "}, Invalid), (nina, nina, {}, Invalid),
        (clara, cast.outsider, {}, Invalid), (part, nina, {}, Invalid),
    ):  # fmt: skip
        with pytest.raises(refusal):
            join(kept, made, **signed | changes)
    with transaction.atomic():
        log.record("case.commented", subject="case:1", scope="x", actor="nina", at=now(), summary="Nina commented.")
        with pytest.raises(Invalid, match="was worked with"):
            join(clara, nina, **signed)
        transaction.set_rollback(True)
    joined = ("join_accounts", "clara", "nina", "--by", "ada", "--because", "Her manager came along.")
    call_command(*joined)
    connection.check_constraints()
    nina.refresh_from_db()
    assert (nina.is_active, nina.groups.count()) == (False, 0)
    assert browser.get("/queue/")["Location"].startswith("/accounts/login/")
    provider.person["groups"] = ["Finance clerks"]
    assert come_in(browser).status_code == 302
    assert browser.session["_auth_user_id"] == str(clara.pk)
    assert told()[-3:] == ["role.taken", "person.sessions_ended", "person.joined"]
    assert told("clara")[-2:] == ["person.joined", "person.signed_in"]
    event = AuditEvent.objects.get(subject="person:clara", action="person.joined")
    assert (event.actor, event.because, event.data["subject"]) == ("ada", "Her manager came along.", "f3a1")
    with pytest.raises(CommandError, match="no second account"):
        call_command(*joined)


@pytest.mark.django_db(transaction=True)
def test_first_sign_ins_at_the_same_time_make_one_account(provider: OpenIDProvider):
    answers = at_the_same_time([lambda: come_in(Client()).status_code] * 3)
    assert answers == [302] * 3
    assert User.objects.filter(username__startswith="nina").count() == SocialAccount.objects.count() == 1
    assert sorted(told()) == ["person.added", *["person.signed_in"] * 3, "role.given"]


def add_without_event(person: User) -> None:
    SocialAccount.objects.create(user=person, provider="https://issuer.test", uid="1")
    connection.check_constraints()  # as at the end of a transaction


def test_what_is_not_the_providers_answer_to_this_browser_opens_nothing(cast: Cast, provider: OpenIDProvider):
    at = int(now().timestamp())

    def refused(answer: Any) -> bool:
        cache.clear()  # they are counted, which another test is about
        return bool(answer.status_code == 403 and "sessionid" in answer.client.cookies) and not told()

    for wrong in (
        {"nonce": "of another sign-in"}, {"aud": "another client"}, {"iss": "https://issuer.test"}, {"sub": ""},
        {"exp": at - 120}, {"sub": "x" * 192}, {"iat": at + 600},
    ):  # fmt: skip
        provider.wrong = wrong
        assert refused(come_in(Client())), wrong
    for site in ("cross-site", "same-site"):  # whoever leads somebody there from elsewhere signs nobody in
        led = Client(headers={"sec-fetch-site": site}).get(GO, {"next": "/queue/"})
        assert led.headers["Location"] == "/accounts/login/?next=%2Fqueue%2F"
    assert Client(headers={"sec-fetch-site": "same-origin"}).get(GO).headers["Location"].startswith(provider.issuer)
    assert {"none", "HS256", "HS512"} & oidc.ALGORITHMS == set()
    provider.signs_with = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert refused(come_in(Client()))
    provider.signs_with = provider.key
    client, thief = Client(), Client()
    back = to_provider(client)
    assert thief.get(back).status_code == 403  # whose browser did not begin it
    cache.clear()
    assert client.get(back).status_code == 302
    assert thief.get(back).status_code == 403
    assert Client().get(BACK).status_code == 403
    state = to_provider(Client()).partition("state=")[2]
    assert Client().get(f"{BACK}?error=access_denied&state={state}").status_code == 403
    provider.issuer_said = "https://issuer.test"
    cache.clear()
    assert come_in(Client()).status_code == 403
    provider.issuer_said = ""
    cache.clear()
    # Whoever asks without having begun shuts nobody out, behind whatever address they sit together.
    strays = [Client().get(BACK).status_code for _ in range(FAILURES_PER_ADDRESS + 1)]
    assert strays == [403] * FAILURES_PER_ADDRESS + [429]
    provider.person = {"sub": "a colleague", "groups": []}
    assert come_in(Client()).status_code == 302
    provider.person = dict(NINA)

    def fail() -> int:
        browser = Client()
        state = to_provider(browser).partition("state=")[2]
        return int(browser.get(f"{BACK}?error=access_denied&state={state}").status_code)

    assert [fail() for _ in range(FAILURES_PER_ADDRESS - 1)] == [403] * (FAILURES_PER_ADDRESS - 1)
    assert [come_in(Client()).status_code for _ in range(3)] == [302] * 3  # who comes in is no failure
    assert [fail(), fail(), come_in(Client()).status_code] == [403, 429, 429]
    assert {event.actor for event in AuditEvent.objects.filter(action="person.sign_in_refused")} == {"(unknown)"}


def test_passwords_can_be_switched_off_but_for_superusers(cast: Cast, provider: OpenIDProvider, settings: LazySettings):
    settings.LOCAL_PASSWORDS = False
    User.objects.create_superuser("root", password=PASSWORD)
    User.objects.filter(pk=cast.auditor.pk).update(is_active=False)

    def sign_in(username: str, password: str) -> Any:
        return Client().post("/accounts/login/", {"username": username, "password": password})

    said = set()
    for username in ("clara", "ada", "anna", "root", "nobody"):  # anna is not active
        for password in (PASSWORD, "not it") if username != "root" else ("not it",):
            answer = sign_in(username, password)
            errors = answer.context["form"].errors.as_json()
            event = AuditEvent.objects.latest("id")
            assert (event.action, event.subject) == ("person.sign_in_refused", f"person:{username}")
            said.add((answer.status_code, errors, event.summary.replace(username, "")))
    assert len(said) == 1, said
    assert "Sign in by Meridian." in said.pop()[1]
    assert [sign_in("clara", PASSWORD).status_code for _ in range(4)] == [200] * 3 + [429]
    assert sign_in("root", PASSWORD).status_code == 302
    settings.OIDC_ISSUER = ""
    assert (Client().get(GO).status_code, Client().get(BACK).status_code) == (404, 404)
    assert "Sign in by" not in Client().get("/accounts/login/").content.decode()


def test_fresh_proof_is_given_at_the_provider_and_what_was_typed_waits(
    cast: Cast, provider: OpenIDProvider, target: Target, settings: LazySettings, time_machine: Any
):
    settings.PROOF_ABOVE = 10
    time_machine.move_to(MORNING, tick=False)
    [case] = refused_cases(cast, 1)
    proposal = propose_replay(case.pk, by=cast.clerk, at=MORNING, because="It is back.")
    provider.person |= {"groups": ["CN=Controllers,OU=Finance"], "auth_time": int(now().timestamp()) - 3600}
    proved, client = dict(provider.person), Client()
    for said in (0, -5, None, "today", True):  # long ago, or nothing that says when
        provider.person["auth_time"] = said
        come_in(browser := Client())
        assert browser.get("/accounts/second-factor/set-up/")["Location"].startswith("/accounts/prove/"), said
    provider.person = proved
    come_in(client)
    page = f"/exceptions/{case.ref}/"
    sent = {"frozen_sha256": proposal.frozen_sha256, "because": "Compared with the order.", "agreed": "on"}
    asked = client.post(f"{page}approve/", sent)  # their session is new, and their last proof an hour old
    assert asked.status_code == 403
    assert "Prove it by Meridian" in asked.content.decode()
    assert client.post(f"{page}approve/", sent | {"proof-code": "123456", "proof-passkey": "{}"}).status_code == 403
    assert client.session["interrupted"]["typed"] == sent  # and nothing that proves who somebody is
    assert client.get("/accounts/second-factor/set-up/")["Location"].startswith("/accounts/prove/")
    assert "Prove it by Meridian" in client.get("/accounts/prove/").content.decode()
    assert client.post("/accounts/prove/", {"next": "/"}).status_code == 200  # which proves nothing
    assert client.post(f"{page}approve/", sent).status_code == 403

    stale = come_in(client, prove="1", next=page)
    assert (stale.status_code, provider.asked["prompt"], provider.asked["max_age"]) == (403, "login", "0")
    person = dict(provider.person)
    provider.person |= {"sub": "somebody else", "auth_time": int(now().timestamp())}
    assert come_in(client, prove="1", next=page).status_code == 403
    provider.person = person | {"auth_time": int(now().timestamp())}
    assert come_in(client, prove="1", next=page)["Location"] == page
    shown = client.get(page).content.decode()
    assert "Compared with the order." in shown
    assert "Your decision is not sent yet" in shown
    assert client.post(f"{page}approve/", sent).status_code == 302
    case.refresh_from_db()
    assert case.state == "replaying"
    assert told()[-1] == "person.proved_again"
    time_machine.shift(timedelta(minutes=6))
    assert client.get("/accounts/second-factor/set-up/")["Location"].startswith("/accounts/prove/")


def test_administrator_proves_themselves_at_the_provider_and_goes_on(
    cast: Cast, provider: OpenIDProvider, time_machine: Any
):
    time_machine.move_to(MORNING, tick=False)
    client, otto = Client(), cast.outsider
    come_in(client)
    User.objects.filter(username="nina").update(is_staff=True)
    address = f"/admin/workbench/user/{otto.pk}/change/"
    sent = {"username": "otto", "time_zone": "UTC", "because": "Moves.", "first_name": "Ottokar", "is_active": "on"}
    asked = client.post(address, sent)
    html = asked.content.decode()
    assert (asked.status_code, dict(asked.context["kept"])) == (403, sent)
    assert 'target="_blank"' in html  # what was typed stays in the first window
    assert f'action="{address}"' in html
    assert "interrupted" not in client.session
    provider.person["auth_time"] = int(now().timestamp())
    assert come_in(client, prove="1", next="/admin/").status_code == 302
    assert client.post(address, sent).status_code == 302
    otto.refresh_from_db()
    assert otto.first_name == "Ottokar"
