from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIRequestFactory

from workbench.models import ApiToken, User
from workbench.tokens import TokenAuthentication, create_api_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create_user("robot")


def authenticate(header: str) -> tuple[User, ApiToken] | None:
    return TokenAuthentication().authenticate(APIRequestFactory().get("/", headers={"Authorization": header}))


def test_token_authenticates_its_user_and_is_stored_as_a_hash(user: User) -> None:
    stored, text = create_api_token(user, name="erp", expires_at=None, at=timezone.now())
    assert authenticate(f"Bearer {text}") == (user, stored)
    assert text not in ApiToken.objects.values_list("digest", flat=True)


def test_token_notes_its_use_once_a_minute(user: User) -> None:
    stored, text = create_api_token(user, name="erp", expires_at=None, at=timezone.now())
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
    _, text = create_api_token(user, name="erp", expires_at=None, at=timezone.now())
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


def test_create_api_token_prints_a_token_that_works(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_token", "robot", "erp", "--days", "30")
    text = capsys.readouterr().out.strip()
    found = authenticate(f"Bearer {text}")
    assert found is not None
    assert found[1].expires_at == found[1].created_at + timedelta(days=30)


def test_create_api_token_refuses_unknown_user_second_name_and_days(user: User) -> None:
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        call_command("create_api_token", "nobody", "erp")
    with pytest.raises(CommandError, match="--days must be at least 1"):
        call_command("create_api_token", "robot", "erp", "--days", "0")
    call_command("create_api_token", "robot", "erp")
    with pytest.raises(CommandError, match="robot has a token named 'erp' already"):
        call_command("create_api_token", "robot", "erp")
