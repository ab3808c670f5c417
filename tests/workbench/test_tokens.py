from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIRequestFactory

from audit.models import AuditEvent
from exceptions_app.policies import NotPermitted
from workbench.models import ApiToken, User
from workbench.tokens import TokenAuthentication, create_api_token, withdraw_api_token

pytestmark = pytest.mark.django_db
SIGNED = ("--by", "ada", "--because", "The yearly renewal.")


@pytest.fixture
def user() -> User:
    return User.objects.create_user("robot")


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", is_staff=True)


def authenticate(header: str) -> tuple[User, ApiToken] | None:
    return TokenAuthentication().authenticate(APIRequestFactory().get("/", headers={"Authorization": header}))


def test_token_authenticates_its_user_and_is_stored_as_a_hash(user: User) -> None:
    stored, text = create_api_token(user, name="erp", at=timezone.now())
    assert authenticate(f"Bearer {text}") == (user, stored)
    assert text not in ApiToken.objects.values_list("digest", flat=True)


def test_token_notes_its_use_once_a_minute(user: User) -> None:
    stored, text = create_api_token(user, name="erp", at=timezone.now())
    authenticate(f"Bearer {text}")
    stored.refresh_from_db()
    first_use = stored.last_used_at
    assert first_use is not None
    authenticate(f"Bearer {text}")
    stored.refresh_from_db()
    assert stored.last_used_at == first_use


def test_token_expired_is_refused(user: User) -> None:
    now = timezone.now()
    _, text = create_api_token(user, name="erp", expires_at=now - timedelta(seconds=1), at=now)
    with pytest.raises(AuthenticationFailed, match="unknown, expired, or its user is not active"):
        authenticate(f"Bearer {text}")


def test_token_of_an_inactive_user_is_refused(user: User) -> None:
    _, text = create_api_token(user, name="erp", at=timezone.now())
    User.objects.update(is_active=False)
    with pytest.raises(AuthenticationFailed):
        authenticate(f"Bearer {text}")


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer wb_unknown", "Bearer \x00é"])
def test_token_malformed_or_unknown_is_refused(header: str) -> None:
    with pytest.raises(AuthenticationFailed):
        authenticate(header)


@pytest.mark.parametrize("header", ["", "Basic cm9ib3Q6"])
def test_other_schemes_are_left_to_others(header: str) -> None:
    assert authenticate(header) is None


def test_token_expires_by_itself_and_never_lives_long(user: User) -> None:
    now = timezone.now()
    stored, _ = create_api_token(user, name="erp", at=now)
    assert stored.expires_at == now + timedelta(days=90)
    with pytest.raises(ValueError, match="at most 366 days"):
        create_api_token(user, name="for ever", at=now, expires_at=now + timedelta(days=367))


def test_token_is_made_for_somebody_else_by_administrators_only(user: User, ada: User) -> None:
    other = User.objects.create_user("other", first_name="Other")
    with pytest.raises(NotPermitted, match="Other is no administrator"):
        create_api_token(user, name="erp", at=timezone.now(), by=other)
    create_api_token(user, name="erp", at=timezone.now(), by=ada)
    with pytest.raises(NotPermitted, match="Other is no administrator"):
        withdraw_api_token(user, name="erp", by=other, at=timezone.now())
    assert list(user.api_tokens.values_list("name", flat=True)) == ["erp"]


def test_create_api_token_prints_a_token_that_works(user: User, ada: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_token", "robot", "erp", "--days", "30", *SIGNED)
    text = capsys.readouterr().out.strip()
    found = authenticate(f"Bearer {text}")
    assert found is not None
    assert found[1].expires_at == found[1].created_at + timedelta(days=30)
    event = AuditEvent.objects.get()
    assert (event.action, event.subject, event.scope) == ("token.made", "person:robot", "configuration")
    assert (event.actor, event.because, event.data["name"]) == ("ada", "The yearly renewal.", "erp")
    assert text not in str(event.data) + event.summary


def test_create_api_token_refuses_unknown_user_second_name_and_days(user: User, ada: User) -> None:
    def create(*arguments: str) -> None:
        call_command("create_api_token", *arguments, *SIGNED)

    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        create("nobody", "erp")
    for days in ("0", "367"):
        with pytest.raises(CommandError, match="--days must be between 1 and 366"):
            create("robot", "erp", "--days", days)
    create("robot", "erp")
    with pytest.raises(CommandError, match="robot has a token named 'erp' already"):
        create("robot", "erp")
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(CommandError, match="robot is not active"):
        create("robot", "other")
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("by", "because", "words"),
    [
        ("robot", "Because.", "robot is no administrator"),
        ("nobody", "Because.", "--by: there is no account 'nobody'"),
        ("ada", "  ", "--because: write a reason"),
    ],
)
def test_token_commands_refuse_who_does_not_say_why_or_may_not(
    user: User, ada: User, by: str, because: str, words: str
) -> None:
    create_api_token(user, name="kept", at=timezone.now())
    for command, name in (("create_api_token", "new"), ("withdraw_api_token", "kept")):
        with pytest.raises(CommandError, match=words):
            call_command(command, "robot", name, "--by", by, "--because", because)
    assert list(user.api_tokens.values_list("name", flat=True)) == ["kept"]


def test_withdrawn_token_is_refused_and_its_name_is_free_again(user: User, ada: User) -> None:
    _, text = create_api_token(user, name="erp", at=timezone.now())
    call_command("withdraw_api_token", "robot", "erp", *SIGNED)
    with pytest.raises(AuthenticationFailed):
        authenticate(f"Bearer {text}")
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.subject, event.actor) == ("token.withdrawn", "person:robot", "ada")
    with pytest.raises(CommandError, match="robot has no token named 'erp'"):
        call_command("withdraw_api_token", "robot", "erp", *SIGNED)
    create_api_token(user, name="erp", at=timezone.now())


def test_list_api_tokens_says_whose_until_when_and_how_used(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
    gone = User.objects.create_user("gone", is_active=False)
    create_api_token(user, name="old", at=at, expires_at=at + timedelta(minutes=1))
    create_api_token(user, name="erp", at=at, expires_at=datetime(2027, 11, 3, 8, 0, tzinfo=UTC))
    create_api_token(gone, name="left", at=at, expires_at=datetime(2027, 11, 3, 8, 0, tzinfo=UTC))
    call_command("list_api_tokens")
    assert capsys.readouterr().out.splitlines() == [
        "gone left: expires 2027-11-03 08:00, its account is not active, last used never",
        "robot erp: expires 2027-11-03 08:00, last used never",
        "robot old: expired 2026-11-02 09:01, last used never",
    ]
    call_command("list_api_tokens", "--user", "gone")
    assert capsys.readouterr().out.count("\n") == 1


def test_api_refuses_the_token_of_an_account_that_was_made_inactive(user: User, client: Client) -> None:
    _, text = create_api_token(user, name="erp", at=timezone.now())
    headers = {"authorization": f"Bearer {text}"}
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get("/api/v1/me", headers=headers).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_database_refuses_a_token_without_its_audit_event(user: User) -> None:
    with pytest.raises(IntegrityError, match="no audit event about person:robot"):
        ApiToken.objects.create(user=user, name="forged", digest="0" * 64, created_at=timezone.now())
    stored, _ = create_api_token(user, name="erp", at=timezone.now())
    with pytest.raises(IntegrityError, match="DELETE on workbench_apitoken refused"):
        stored.delete()
    with pytest.raises(IntegrityError, match="expires_at is never changed"):
        ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=9000))
    with pytest.raises(IntegrityError, match="digest is never changed"):
        ApiToken.objects.update(digest="0" * 64)
    assert ApiToken.objects.get().digest == stored.digest
