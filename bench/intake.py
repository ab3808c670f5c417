"""Messages read into exceptions: the invoice and the validator's report parsed, the exception opened and routed."""

from collections.abc import Callable

from django.utils.timezone import now

from bench.figures import Figure, compare
from bench.scene import Scene, as_incoming, hand_in, make_scene, refused_invoice
from bench.sizes import Size
from exceptions_app.intake import read_messages
from exceptions_app.models import ExceptionCase
from integrations.connectors.registry import get_connector


def measure(size: Size) -> list[Figure]:
    """The floor parses the same documents and stores nothing; a commit for each message is part of ours."""
    scene = make_scene("intake")
    return [
        compare(
            "intake", "read into exceptions", items=size.read, rounds=size.rounds, unit="per second",
            ours=lambda _: _read(scene, size.read),
            floor=lambda _: _parse(scene, size.read),
            floor_is="parsing invoice and report",
        )
    ]  # fmt: skip


def _read(scene: Scene, number: int) -> Callable[[], None]:
    while read_messages(limit=100, at=now()):  # what others have left
        pass
    for _ in range(number):
        hand_in(scene, refused_invoice())
    opened_before = ExceptionCase.objects.filter(queue=scene.queue).count()

    def read() -> None:
        read_messages(limit=number, at=now())
        opened = ExceptionCase.objects.filter(queue=scene.queue).count() - opened_before
        if opened != number:
            raise RuntimeError(f"{opened} of {number} messages became exceptions.")

    return read


def _parse(scene: Scene, number: int) -> Callable[[], object]:
    parse = get_connector(scene.connection.connector).parse
    messages = [as_incoming(refused_invoice()) for _ in range(number)]
    return lambda: [parse(message) for message in messages]
