"""The sign-in page names the demonstration's accounts, and nobody's anywhere else."""

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from exceptions_app.demo_people import PEOPLE

pytestmark = pytest.mark.django_db
SIMULATOR = "http://127.0.0.1:9999"


@pytest.fixture
def people() -> None:
    for who in PEOPLE:
        get_user_model()._default_manager.create_user(username=who.username, password=who.password)


def sign_in_page() -> str:
    return Client().get(reverse("login")).content.decode()


def test_sign_in_page_of_the_demonstration_lists_its_accounts(people: None, settings: Settings):
    settings.PROFILE, settings.SIMULATOR_URL = "development", SIMULATOR
    page = sign_in_page()
    assert "Accounts of this demonstration" in page
    for who in PEOPLE:
        for words in (who.role, f"<code>{who.username}</code>", f"<code>{who.password}</code>"):
            assert words in page
        assert authenticate(username=who.username, password=who.password) is not None


@pytest.mark.parametrize(
    ("profile", "simulator"), [("production", SIMULATOR), ("test", SIMULATOR), ("development", "")]
)
def test_sign_in_page_lists_nobody_elsewhere(people: None, settings: Settings, profile: str, simulator: str):
    settings.PROFILE, settings.SIMULATOR_URL = profile, simulator
    page = sign_in_page()
    assert "Accounts of this demonstration" not in page
    assert not any(who.password in page for who in PEOPLE)


def test_sign_in_page_lists_nobody_who_is_not_there(db: None, settings: Settings):
    settings.PROFILE, settings.SIMULATOR_URL = "development", SIMULATOR
    for who in PEOPLE:
        get_user_model()._default_manager.create_user(username=who.username, is_active=who.username == "clerk")
    page = sign_in_page()
    assert "demo-clerk-2026" in page
    assert "demo-auditor-2026" not in page


def test_sign_in_page_without_the_demonstration_lists_nobody(settings: Settings):
    settings.PROFILE, settings.SIMULATOR_URL = "development", SIMULATOR
    assert "Accounts of this demonstration" not in sign_in_page()
