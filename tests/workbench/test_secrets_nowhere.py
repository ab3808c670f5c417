"""Planted secrets of every kind, in a scene in which each is used and refused: then looked for everywhere at once.

In every column of every table as the database holds it, in logs, answers, error pages, exports, the broker and the
cache; written as they are and as they would stand in hexadecimal, base64, an address or JSON.
"""

import base64
import io
import json
import logging
import os
import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import redis
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import LazySettings
from django.core.cache import cache, caches
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from exceptions_app import intake, replays
from exceptions_app.actions.connections import rotate_webhook_secret, save_configuration
from exceptions_app.machines import SETUP, machine
from integrations.models import Connection, PullSource
from integrations.pull import sources
from integrations.webhooks import new_secret, sign
from tests.arrivals import approve_open, configure, mend, propose, take_in
from tests.cast import MORNING, PASSWORD, Cast, cast, signed_in
from tests.guards import GUARD, PASS
from tests.scripted_server import answering, scripted
from tests.workbench.test_second_factor import code, password, with_app
from workbench import second_factor, services
from workbench.logs import JSONFormatter, RequestIDFilter
from workbench.sealing import seal_all_anew
from workbench.tokens import create_api_token

__all__ = ["cast", "signed_in"]
SHARE = float(os.environ.get("NIGHTLY_SHARE", "1"))
ROWS = max(round(100_000 * SHARE), 1_000)


def key_of_sftp() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


@dataclass
class Scene:
    """What was planted, by what it is; and all that was answered, but for what is shown once to whose it is."""

    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[str, bytes]] = field(default_factory=list)

    def heard(self, answer: Any) -> Any:
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        told = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        self.answers.append((answer.request["PATH_INFO"], told.encode() + b"\n" + body))
        return answer


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What every logger writes, down to the smallest."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    handler.addFilter(RequestIDFilter())
    names = [None, *logging.root.manager.loggerDict]
    before = {name: logging.getLogger(name).level for name in names}
    propagates = [logging.getLogger(name) for name in names if not logging.getLogger(name).propagate]
    for logger in (logging.getLogger(), *propagates):
        logger.addHandler(handler)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
    for logger in (logging.getLogger(), *propagates):
        logger.removeHandler(handler)


@pytest.fixture
def installed(settings: LazySettings) -> dict[str, str]:
    """Secrets that the installation was given by its environment."""
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True
    settings.SECRET_KEY = "planted-" + Fernet.generate_key().decode() * 2
    settings.AUDIT_SIGNING_KEY = base64.b64encode(os.urandom(32)).decode()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = "workbench", "planted-oidc-" + os.urandom(12).hex()
    return {
        "secret key": settings.SECRET_KEY,
        "signing key": settings.AUDIT_SIGNING_KEY,
        "key of fields": settings.FIELD_ENCRYPTION_KEYS[0],
        "client secret at the provider": settings.OIDC_CLIENT_SECRET,
    }


def people_sign_in(cast: Cast, scene: Scene) -> Client:
    """With a password and a code, and with a recovery code; and with what is wrong. Returns who is in."""
    totp = with_app(cast.clerk)
    codes = second_factor.renew_recovery_codes(cast.clerk, at=now())
    scene.secrets |= {"password": PASSWORD, "secret of an app": totp, "recovery code": codes[0]}
    browser, wrong = Client(), Client()
    page = scene.heard(password(browser, cast.clerk))
    scene.heard(code(wrong, page, f"{codes[1]}x"))
    scene.heard(code(wrong, page, "000000"))
    done = code(browser, page, codes[0])
    assert done.status_code == 302, done.content[:2000]
    scene.secrets |= {"session key": browser.cookies["sessionid"].value, "recovery code not used": codes[2]}
    scene.heard(wrong.post("/accounts/login/", {"username": "clara", "password": f"{PASSWORD} "}))
    for address in ("/", "/accounts/sessions/", "/accounts/second-factor/", "/nothing-here/"):
        scene.heard(browser.get(address))
    return browser


def exchange(form: dict[str, str], **more: Any) -> Any:
    return Client().post("/oauth/token", urlencode(form), content_type="application/x-www-form-urlencoded", **more)


def programs_call(cast: Cast, scene: Scene) -> None:
    _, token = create_api_token(cast.auditor, name="archive", at=now())
    ends_at = now() + timedelta(days=30)
    signed: dict[str, Any] = {"by": cast.administrator, "at": now(), "because": "The ERP."}
    account = services.make_service_account("erp", purpose="ERP", owner=cast.clerk, ends_at=ends_at, **signed)
    secret = services.make_service_token(account, name="oauth", scopes=["read"], days=9, kind="secret", **signed)
    scene.secrets |= {"token": token, "client secret": secret}
    credentials = base64.b64encode(f"{quote('service:erp', safe='')}:{secret}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    answer = exchange(form, headers={"authorization": f"Basic {credentials}"})
    assert answer.status_code == 200, answer.content
    scene.secrets |= {"access token": answer.json()["access_token"]}
    scene.heard(exchange(form | {"client_id": "service:erp", "client_secret": f"{secret}x"}))
    scene.heard(exchange(form | {"client_id": secret, "client_secret": "x"}))
    for text in (token, scene.secrets["access token"]):
        for path in ("me", "exceptions", "connections", "nothing"):
            scene.heard(Client().get(f"/api/v1/{path}", headers={"authorization": f"Bearer {text}"}))
    scene.heard(Client().get("/api/v1/me", headers={"authorization": f"Bearer {token}x"}))


def webhooks_come(cast: Cast, scene: Scene) -> None:
    signed: dict[str, Any] = {"by": cast.administrator, "at": now(), "because": "Set up."}
    old = rotate_webhook_secret(cast.connection.pk, **signed)
    new = rotate_webhook_secret(cast.connection.pk, old_until=now() + timedelta(hours=2), **signed)
    scene.secrets |= {"earlier webhook key": old, "webhook key": new}
    body = json.dumps({"payload": {"media_type": "text/plain", "text": "x"}}).encode()
    for key in (old, new, new_secret()):
        headers = sign(key, message_id=f"event-{key[-4:]}", timestamp=now(), body=body)
        sent = Client().post("/hooks/tax-authority/", body, content_type="application/json", headers=headers)
        scene.heard(sent)
    intake.read_messages(limit=10, at=now())


def systems_are_asked(cast: Cast, scene: Scene) -> None:
    """A target that refuses the token and one that is away; feeds that want a token, a password and a key."""
    bearer, told = "planted-bearer-" + os.urandom(9).hex(), new_secret()
    basic, feed_token, key = (
        "planted-basic-" + os.urandom(9).hex(),
        "planted-feed-" + os.urandom(9).hex(),
        key_of_sftp(),
    )
    scene.secrets |= {
        "bearer of a connection": bearer, "key of words to a source": told, "basic password": basic,
        "token of a feed": feed_token, "private key of SFTP": key,
    }  # fmt: skip
    refusing = answering("401 Unauthorized", b"no", 'WWW-Authenticate: Bearer realm="x"', "Set-Cookie: a=b")
    cast.connection.refresh_from_db()
    with scripted(refusing) as target:
        configure(
            cast.connection, target_url=target.url, target_token=bearer, write_back_url=target.url,
            write_back_secret=told, timeout_seconds=5,
        )  # fmt: skip
        case = take_in(cast)
        mend(case, by=cast.clerk)
        propose(case, by=cast.clerk)
        approve_open(case, by=cast.controller)
        replays.carry_out_due()
        feeds: tuple[tuple[str, str, dict[str, Any], str], ...] = (
            ("bearer", "rest", {"url": target.url}, feed_token),
            ("basic", "rest", {"url": target.url, "sign_in": "basic", "user": "me"}, basic),
            ("away", "rest", {"url": "http://127.0.0.1:9/x", "sign_in": "basic", "user": "me"}, basic),
            ("files", "sftp", {
                "host": "127.0.0.1", "port": 9, "user": "us", "folder": "/out",
                "host_keys": ["SHA256:" + "A" * 43],
            }, key),
        )  # fmt: skip
        for slug, kind, given, secret in feeds:
            source = PullSource(
                connection=cast.connection, slug=slug, name=slug, kind=kind, settings=given, secret=secret
            )
            source.full_clean()
            save_configuration(source, by=machine(SETUP), at=MORNING, because="For this test.")
            sources.pull(source.pk, at=now())
            source.refresh_from_db()
            assert source.failures == 1, slug
        assert any(bearer.encode() in request for request in target.requests), "the token was never sent"


def pages_are_read(cast: Cast, scene: Scene, signed_in: Callable[..., Client]) -> None:
    """Of those who configure, and what they export; and an error of ours while a password is sent."""
    for who in (cast.administrator, cast.clerk, cast.auditor):
        browser = signed_in(who)
        pages = ["/connections/", "/connections/tax-authority/", "/access/", "/audit/", "/accounts/services/"]
        pages += [f"/pull-sources/{slug}/" for slug in ("bearer", "basic", "away", "files")]
        pages += [reverse("exceptions:audit_export") + f"?since=&format={form}" for form in ("csv", "jsonl")]
        pages += [reverse("exceptions:access_export")]
        pages += [f"/admin/{path}" for path in (
            f"integrations/connection/{cast.connection.pk}/change/",
            f"integrations/connection/{cast.connection.pk}/history/",
            *(f"integrations/pullsource/{one.pk}/change/" for one in PullSource.objects.all()),
            f"workbench/user/{cast.clerk.pk}/change/",
        )]  # fmt: skip
        for page in pages:
            scene.heard(browser.get(page, follow=False))


def fail_with(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: object, **__: object) -> None:
        raise RuntimeError("It fell over.")

    with monkeypatch.context() as patch:
        patch.setattr("workbench.session_store.SessionStore.create_model_instance", fall)
        sent = {"username": "conrad", "password": PASSWORD}
        answer = Client(raise_request_exception=False).post("/accounts/login/", sent)
    assert answer.status_code == 500
    scene.heard(answer)


def in_all_ways(secret: str) -> list[bytes]:
    """As it is, and as it would stand elsewhere. Of a key of several lines each long line by itself."""
    parts = [line for line in secret.splitlines() if len(line) > 30] if "\n" in secret else [secret]
    ways = [way for part in parts for way in (part, part.encode().hex(), quote(part), json.dumps(part)[1:-1])]
    ways += [base64.b64encode(part.encode()).decode()[:-4] for part in parts]
    if secret.startswith("whsec_"):
        ways.append(secret.removeprefix("whsec_"))
    return [way.encode() for way in dict.fromkeys(ways)]


def every_column() -> Iterator[tuple[str, bytes]]:
    with database.cursor() as cursor:
        cursor.execute("SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                       " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition")  # fmt: skip
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} t")  # noqa: S608 - a name from the catalogue
            yield table, "\n".join(row[0] for row in cursor.fetchall()).encode()


def broker(settings: LazySettings) -> Iterator[tuple[str, bytes]]:
    client: Any = redis.Redis.from_url(settings.REDIS_URL)
    for key in client.scan_iter():
        rows: list[bytes] = []
        match client.type(key).decode():
            case "string":
                raw = repr(client.get(key))
            case "list":
                rows = client.lrange(key, 0, -1)
                raw = repr(rows)
            case "hash":
                raw = repr(client.hgetall(key))
            case "set":
                raw = repr(client.smembers(key))
            case "zset":
                raw = repr(client.zrange(key, 0, -1, withscores=True))
            case kind:
                assert kind == "none", f"{kind}, which nobody reads here"  # it is over already
                continue
        # The bodies of Celery's messages are in base64.
        bodies = [base64.b64decode(json.loads(row)["body"]) for row in rows if row.startswith(b"{")]
        yield f"broker {key.decode()}", b"\n".join([key, raw.encode(), *bodies])


@pytest.mark.django_db(transaction=True)
def test_no_planted_secret_stands_anywhere_in_clear(
    cast: Cast,
    installed: dict[str, str],
    written: io.StringIO,
    signed_in: Callable[..., Client],
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
):
    cache.clear()
    scene = Scene(secrets=dict(installed))
    people_sign_in(cast, scene)
    programs_call(cast, scene)
    webhooks_come(cast, scene)
    systems_are_asked(cast, scene)
    pages_are_read(cast, scene, signed_in)
    fail_with(scene, monkeypatch)
    in_memory: Any = caches["default"]
    places = [
        *((f"table {name}", content) for name, content in every_column()),
        ("log", written.getvalue().encode()),
        *((f"answer of {path}", content) for path, content in scene.answers),
        *broker(settings),
        ("cache", repr([pickle.loads(value) for value in in_memory._cache.values()]).encode()),  # noqa: S301
    ]
    print(f"{len(scene.secrets)} secrets, {len(places)} places, {sum(len(one) for _, one in places) / 1e6:.1f} MB")
    assert len(scene.secrets) >= 12
    assert any(name.startswith("broker") and b"task" in content for name, content in places)
    assert "It fell over." in written.getvalue()
    handed_out = Counter(path for path, told in scene.answers if b"Content-Disposition: attachment" in told)
    assert handed_out == {"/audit/export/": 2, "/access/export/": 2}
    found = {
        f"{what} in {where}"
        for what, secret in scene.secrets.items()
        for way in in_all_ways(secret)
        for where, content in places
        if way in content
    }
    assert found == set()


def test_looking_finds_a_secret_however_it_is_written():
    for secret in ("whsec_" + base64.b64encode(b"k" * 32).decode(), 'a/b+c d"e', key_of_sftp()):
        line = max(secret.splitlines(), key=len)
        for way in (secret, line.encode().hex(), quote(line), json.dumps({"x": line}), f"x{line}y"):
            assert any(one in way.encode() for one in in_all_ways(secret))


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.django_db
def test_keys_are_changed_over_many_rows(cast: Cast, settings: LazySettings):
    """As the command does it, with an event about each row."""
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    settings.FIELD_ENCRYPTION_KEYS = [old]
    rows = [
        Connection(slug=f"c-{number}", name=f"C {number}", connector="erp", target_token=f"planted-{number}")
        for number in range(ROWS)
    ]
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(PASS)
        Connection.objects.bulk_create(rows, batch_size=2_000)
        cursor.execute(GUARD)
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    began = time.monotonic()
    changed = seal_all_anew(by=cast.administrator, at=now(), because="Yearly.").anew["connections"]
    took = time.monotonic() - began
    print(f"{changed} sealed values opened and sealed with another key in {took:.1f} s")
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert changed == ROWS
    some = Connection.objects.filter(slug__startswith="c-").order_by("pk")
    assert [one.target_token for one in some[: ROWS : ROWS // 100]] == [
        f"planted-{number}" for number in range(0, ROWS, ROWS // 100)
    ]
