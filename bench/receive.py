"""Messages durably taken in through the API, one by one and many at once."""

import json
from collections.abc import Callable, Iterable

import psycopg

from bench import floors
from bench.figures import Figure, compare
from bench.scene import Scene, make_scene, refused_invoice
from bench.sizes import Size
from bench.web import call, with_token
from integrations.inbox import HandedIn

PATH = "/api/v1/messages"


def measure(size: Size) -> list[Figure]:
    """One request per message, then one for many. The floor commits as often and stores the same bytes."""
    scene = make_scene("receive")
    headers = with_token(scene.source)

    def post(bodies: Iterable[bytes]) -> Callable[[], object]:
        return lambda: [call("POST", PATH, expect=202, headers=headers, body=body) for body in bodies]

    with floors.bare_connection() as bare:

        def at_once(number: int) -> Figure:
            return compare(
                "receive", f"{number:,} at once", items=number, rounds=size.rounds, unit="per second",
                ours=lambda _: post([_many(_messages(number), scene)]),
                floor=lambda _: _bare(floors.insert_together, bare, number),
                floor_is="bare INSERTs with one commit",
            )  # fmt: skip

        return [
            compare(
                "receive", "one by one", items=size.messages, rounds=size.rounds, unit="per second",
                ours=lambda _: post([_body(message, scene) for message in _messages(size.messages)]),
                floor=lambda _: _bare(floors.insert_each, bare, size.messages),
                floor_is="a bare INSERT and commit for each",
            ),
            at_once(size.batch),
            at_once(size.large_batch),
        ]  # fmt: skip


def _bare(insert: Callable[..., None], bare: psycopg.Connection, number: int) -> Callable[[], None]:
    rows = [(message.external_id, message.payload, message.refusal) for message in _messages(number)]
    return lambda: insert(bare, floors.INSERT_MESSAGE, rows)


def _messages(number: int) -> list[HandedIn]:
    return [refused_invoice() for _ in range(number)]


def _body(message: HandedIn, scene: Scene) -> bytes:
    return json.dumps(_document(message, scene)).encode()


def _many(messages: Iterable[HandedIn], scene: Scene) -> bytes:
    return json.dumps({"messages": [_document(message, scene) for message in messages]}).encode()


def _document(message: HandedIn, scene: Scene) -> dict[str, object]:
    return {
        "connection": scene.connection.slug,
        "id": message.external_id,
        "payload": {"media_type": message.payload_media_type, "text": message.payload.decode()},
        "refusal": {"media_type": message.refusal_media_type, "text": message.refusal.decode()},
    }
