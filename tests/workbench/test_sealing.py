"""All that is stored sealed, sealed anew with another key: in batches, from where it was, and told once with counts."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import Fernet, MultiFernet
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.utils.timezone import now

from audit import log
from audit.models import AuditEvent
from exceptions_app.actions.connections import save_configuration
from exceptions_app.policies import NotPermitted
from integrations.models import Archive, Connection, PullSource
from integrations.models.connection import SECRETS
from integrations.secret_box import is_newest, seal
from tests.cast import MORNING, Cast, cast
from tests.concurrency import at_the_same_time
from tests.guards import GUARD, PASS
from tests.workbench.test_second_factor import code, nothing_counted, password, shown, with_app
from workbench import sealing

__all__ = ["cast", "nothing_counted"]
pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SIGNED = {"by": "ada", "because": "Yearly."}


@pytest.fixture
def secrets(cast: Cast, settings: LazySettings) -> dict[str, str]:
    """One of every kind, sealed with the old key; the newest key is there as well by the time of the test."""
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    planted = {name: f"planted-{name}" for name in SECRETS}
    for name, secret in planted.items():
        setattr(cast.connection, name, secret)
    source = PullSource(connection=cast.connection, slug="feed", name="Feed", kind="rest", secret="planted-source")
    source.settings = {"url": "https://source.example/feed"}
    for item in (cast.connection, source):
        save_configuration(item, by=cast.administrator, at=MORNING, because="The ERP.")
    archive = Archive(slug="vault", name="Vault", kind="sftp", secret="planted-archive")
    save_configuration(archive, by=cast.administrator, at=MORNING, because="The ERP.")
    planted["app"] = with_app(cast.clerk)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    return planted


def stored() -> list[str]:
    """Every sealed value as the database has it."""
    found: list[str] = []
    with database.cursor() as cursor:
        for model, names in sealing.sealed_columns():
            cursor.execute(f"SELECT {', '.join(names)} FROM {model._meta.db_table}")  # noqa: S608 - of our own models
            found += [one for row in cursor.fetchall() for one in row if one]
    for data in Authenticator.objects.values_list("data", flat=True):
        found += [data[name] for name in ("secret", "seed") if name in data]
    return found


def events(action: str) -> Any:
    return AuditEvent.objects.filter(action=action).order_by("pk")


def test_every_kind_is_sealed_anew_and_the_old_key_can_go(
    cast: Cast, secrets: dict[str, str], settings: LazySettings, capsys: pytest.CaptureFixture[str]
):
    assert len(stored()) == 8
    assert not any(is_newest(one) for one in stored())
    codes = RecoveryCodes(Authenticator.objects.get(type="recovery_codes")).get_unused_codes()
    call_command("seal_anew", **SIGNED)
    assert capsys.readouterr().out.splitlines() == [
        "archives: 1 sealed anew, 0 with the newest key already",
        "connections: 1 sealed anew, 0 with the newest key already",
        "pull sources: 1 sealed anew, 0 with the newest key already",
        "second factors: 2 sealed anew, 0 with the newest key already",
        "The earlier keys may go in a quarter of an hour, when every process has the newest one.",
    ]
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert [getattr(Connection.objects.get(pk=cast.connection.pk), name) for name in SECRETS] == [
        secrets[name] for name in SECRETS
    ]
    assert (PullSource.objects.get().secret, Archive.objects.get().secret) == ("planted-source", "planted-archive")
    assert RecoveryCodes(Authenticator.objects.get(type="recovery_codes")).get_unused_codes() == codes
    browser = Client()
    assert code(browser, password(browser, cast.clerk), shown(secrets["app"])).status_code == 302
    told = {event.subject: event.data["sealed"] for event in events("secret.sealed_anew")}
    assert told.keys() == {"connection:tax-authority", "pull_source:feed", "archive:vault", "person:clara"}
    assert told["connection:tax-authority"] == sorted(SECRETS)
    [told_once] = events("keys.changed")
    counts = {"archives": 1, "connections": 1, "pull sources": 1, "second factors": 2}
    assert (told_once.actor, told_once.because) == ("ada", "Yearly.")
    assert told_once.data == {"anew": counts, "already": {}, "lost": []}
    assert not any("planted" in str(event.body) for event in AuditEvent.objects.filter(action="secret.sealed_anew"))


def test_done_twice_changes_nothing_and_says_so(secrets: dict[str, str], capsys: pytest.CaptureFixture[str]):
    call_command("seal_anew", **SIGNED)
    before, told = stored(), events("secret.sealed_anew").count()
    capsys.readouterr()
    call_command("seal_anew", **SIGNED)
    assert "connections: 0 sealed anew, 1 with the newest key already" in capsys.readouterr().out
    assert (stored(), events("secret.sealed_anew").count()) == (before, told)
    assert [event.data["anew"] for event in events("keys.changed")][1] == {}


def test_who_was_cut_off_goes_on_where_it_was(
    cast: Cast, secrets: dict[str, str], settings: LazySettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sealing, "AT_A_TIME", 1)
    more = Connection(slug="zz", name="Last", connector="erp", target_token="planted-last")
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    save_configuration(more, by=cast.administrator, at=MORNING, because="Another.")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    write = log.record_many

    def dies(entries: list[log.Entry]) -> Any:
        if any(entry.subject == "connection:zz" for entry in entries):
            raise KeyboardInterrupt
        return write(entries)

    with monkeypatch.context() as patch:
        patch.setattr(log, "record_many", dies)
        with pytest.raises(KeyboardInterrupt):
            call_command("seal_anew", **SIGNED)
    assert sum(is_newest(one) for one in stored()) == 5  # of the archive and the first connection
    assert not events("keys.changed").exists()
    done = events("secret.sealed_anew").count()
    call_command("seal_anew", **SIGNED)
    assert all(is_newest(one) for one in stored())
    assert done == 2
    assert events("secret.sealed_anew").count() == 6  # none of them twice: the app and its codes are two
    [told] = events("keys.changed")
    assert sum(told.data["anew"].values()) + sum(told.data["already"].values()) == 6


def test_what_no_key_opens_is_named_and_keeps_nothing_else_from_it(cast: Cast, secrets: dict[str, str]):
    lost = MultiFernet([Fernet(Fernet.generate_key())]).encrypt(b"gone").decode()
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(PASS)
        cursor.execute("UPDATE integrations_pullsource SET secret = %s", [lost])
        cursor.execute(GUARD)
    with pytest.raises(CommandError, match=r"No key opens these, .*: pull_source:feed \(secret\)\. Add the key"):
        call_command("seal_anew", **SIGNED)
    assert [one for one in stored() if not is_newest(one)] == [lost]
    assert events("keys.changed").get().data["lost"] == ["pull_source:feed (secret)"]


def test_what_earlier_versions_sealed_and_lists_within_a_factor_are_sealed_anew_too(
    cast: Cast, secrets: dict[str, str], settings: LazySettings
):
    old = MultiFernet([Fernet(OLD)]).encrypt(b"11111111").decode()
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(PASS)
        Authenticator.objects.filter(type="recovery_codes").update(
            data={"migrated_codes": [old, seal("22222222")], "used_mask": 0}
        )
        cursor.execute(GUARD)
    call_command("seal_anew", **SIGNED)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    found = RecoveryCodes(Authenticator.objects.get(type="recovery_codes"))
    assert found.get_unused_codes() == ["11111111", "22222222"]


def test_two_at_once_are_one_and_only_an_administrator_does_it(cast: Cast, secrets: dict[str, str]):
    def act() -> str:
        try:
            call_command("seal_anew", **SIGNED)
        except CommandError as refused:
            return str(refused)
        return "done"

    assert sorted({"done", *at_the_same_time([act, act])}) in (
        ["done"],  # one after the other
        ["Somebody does this already. Wait until they are through.", "done"],
    )
    assert events("secret.sealed_anew").count() == 5
    with pytest.raises(NotPermitted):
        sealing.seal_all_anew(by=cast.clerk, at=now(), because="Mine.")
