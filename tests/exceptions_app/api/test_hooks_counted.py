"""Two hundred webhooks that are signed wrongly in all ways, and fifty that are signed rightly: none slips through."""

import base64
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now

from exceptions_app.actions.connections import rotate_webhook_secret
from integrations.models import InboxMessage
from integrations.webhooks import sign
from tests.arrivals import configure
from tests.cast import Cast
from tests.exceptions_app.api.test_hooks import MESSAGE, SECRET
from tests.exceptions_app.api.test_problems import kind_of

pytestmark = [pytest.mark.django_db, pytest.mark.one_engine]
WRONG, RIGHT = 200, 50
BODY = json.dumps(MESSAGE).encode()
NO_JSON = b'{"payload": '  # whoever read it before the check would say so
Sent = tuple[bytes, dict[str, str]]


def signed(secret: str, number: int, *, at: datetime, body: bytes = BODY) -> dict[str, str]:
    return sign(secret, message_id=f"event-{number}", timestamp=at, body=body)


def flipped(text: bytes, chance: random.Random) -> bytes:
    place, bit = chance.randrange(len(text)), chance.randrange(8)
    return text[:place] + bytes([text[place] ^ 1 << bit]) + text[place + 1 :]


def secret_of(chance: random.Random) -> str:
    return "whsec_" + base64.b64encode(chance.randbytes(32)).decode()


def wrong(chance: random.Random) -> Iterator[Sent]:
    """Every way in turn: a bit of the body, of the signature, of key, time and name, and other forms of the headers."""
    for number in range(WRONG):
        at = datetime.now(UTC)
        headers, body = signed(SECRET, number, at=at), BODY
        version, _, told = headers["webhook-signature"].partition(",")
        raw = base64.b64decode(told)
        far = timedelta(minutes=chance.choice((-1, 1)) * chance.randint(6, 10_000))
        match number % 10:
            case 0:
                body = flipped(BODY, chance)
            case 1:
                headers["webhook-signature"] = f"{version},{base64.b64encode(flipped(raw, chance)).decode()}"
            case 2:
                headers = signed(secret_of(chance), number, at=at)
            case 3:
                headers = signed(SECRET, number, at=at + far)
            case 4:
                headers["webhook-timestamp"] = str(int(at.timestamp()) + chance.choice((-2, -1, 1, 2)))
            case 5:
                headers["webhook-id"] = f"event-{number + 1}"
            case 6:
                del headers[chance.choice(sorted(headers))]
            case 7:
                forms = ("", told, f"v2,{told}", f"v1 {told}", f"v1,{told[:-4]}", "v1,")
                headers["webhook-signature"] = chance.choice(forms)
            case _:
                off = chance.choice((timedelta(), far))
                headers, body = signed(secret_of(chance), number, at=at + off, body=NO_JSON), NO_JSON
        yield body, headers


def right(old: str, new: str, chance: random.Random) -> Iterator[Sent]:
    """With the new secret and with the old one while it holds, early and late, and with other signatures beside."""
    for number in range(RIGHT):
        at = datetime.now(UTC) + timedelta(seconds=chance.randint(-280, 280))
        headers = signed(chance.choice((old, new)), number, at=at)
        others = [signed(secret_of(chance), number, at=at)["webhook-signature"] for _ in range(chance.randrange(3))]
        several = [headers["webhook-signature"], "v1a,abc", *others]
        chance.shuffle(several)
        yield BODY, headers | {"webhook-signature": " ".join(several)}


def test_two_hundred_wrong_ones_are_refused_unread_and_fifty_right_ones_taken(cast: Cast):
    configure(cast.connection, webhook_secret=SECRET)
    chance, client = random.Random(7), Client(raise_request_exception=False)  # noqa: S311 - the same ones each time

    def send(body: bytes, headers: dict[str, str]) -> Any:
        cache.clear()  # how many failures are looked at in a minute is tried elsewhere
        return client.post("/hooks/tax-authority/", body, content_type="application/json", headers=headers)

    refused = [kind_of(send(body, headers)) for body, headers in wrong(chance)]
    assert refused == [(401, "bad-signature")] * WRONG
    assert InboxMessage.objects.count() == 0

    until = now() + timedelta(hours=1)
    new = rotate_webhook_secret(cast.connection.pk, by=cast.administrator, at=now(), because="Yearly.", old_until=until)
    taken = [send(body, headers).status_code for body, headers in right(SECRET, new, chance)]
    assert taken == [202] * RIGHT
    assert InboxMessage.objects.count() == RIGHT
