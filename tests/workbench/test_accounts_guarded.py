"""What opens an account and says whose it is changes with an event alone, also past pages and actions."""

import getpass
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.core.management import call_command
from django.db import IntegrityError
from django.test import Client

from audit.models import AuditEvent
from tests.cast import PASSWORD
from workbench.models import User

pytestmark = pytest.mark.django_db(transaction=True)
ELSE: dict[str, Any] = {
    "password": "pbkdf2_sha256$another", "email": "attacker@example.test", "first_name": "Conrad",
    "last_name": "Controller", "is_active": False, "is_staff": True, "is_superuser": True,
}  # fmt: skip


def told() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("action", "actor"))


def test_accounts_change_with_an_event_alone(settings: LazySettings, monkeypatch: pytest.MonkeyPatch):
    cache.clear()
    clara = User.objects.create_user("clara", password=PASSWORD, first_name="Clara", last_name="Clerk")
    rows = User.objects.filter(pk=clara.pk)
    for name, value in ELSE.items():
        with pytest.raises(IntegrityError, match="no audit event about person:clara"):
            rows.update(**{name: value})
    with pytest.raises(IntegrityError, match="date_joined is never changed"):
        rows.update(date_joined=clara.date_joined - timedelta(days=400))
    rows.update(time_zone="Europe/Berlin")
    # A password that is kept in an older way is stored anew where it is given rightly, once, and the person comes in.
    older, *_ = settings.PASSWORD_HASHERS
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", older]
    for _ in range(2):
        assert Client().post("/accounts/login/", {"username": "clara", "password": PASSWORD}).status_code == 302
    clara.refresh_from_db()
    assert clara.password.startswith("pbkdf2_sha256$")
    signed_in = ("person.signed_in", "clara")
    assert told() == [("person.password_stored_anew", "clara"), signed_in, signed_in]
    assert PASSWORD not in "".join(bytes(event.body).decode() for event in AuditEvent.objects.all())
    # On the server, for who lost it.
    monkeypatch.setattr(getpass, "getpass", lambda **_: "another staple of horses")
    call_command("changepassword", "clara", verbosity=0)
    assert told()[3:] == [("person.changed", "machine:setup")]
    clara.refresh_from_db()
    assert clara.check_password("another staple of horses")
