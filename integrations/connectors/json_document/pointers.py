"""JSON Pointer, RFC 6901: `/lines/1/cost_center`."""

import re
from typing import Final

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")


class BadPointer(ValueError):
    pass


def steps_of(pointer: str) -> tuple[str, ...]:
    """The names on the way; raises BadPointer."""
    if pointer == "":
        return ()
    if not pointer.startswith("/") or _BAD_ESCAPE.search(pointer):
        raise BadPointer(pointer)
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/"))


def pointer_to(*steps: str | int) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def index_of(step: str) -> int | None:
    """A place in a list, or None when the step is not written as one."""
    return int(step) if _INDEX.fullmatch(step) else None
