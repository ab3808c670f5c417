"""Something done in a fork, whose memory is thrown away."""

import os
import pickle
import select
import signal
import traceback
from collections.abc import Callable
from typing import Any


class EndedInItsMiddle(Exception):
    """Without a result; says why, as far as it is known."""


def in_a_fork(work: Callable[[], Any], *, seconds: float) -> Any:
    """What it returned; EndedInItsMiddle for an exception, and TimeoutError when it took too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _do(work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        if not select.select([told], [], [], seconds)[0]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise TimeoutError
        said = told.read()
    os.waitpid(child, 0)
    if not said:
        raise EndedInItsMiddle("The fork ended without a word.")
    is_well, found = pickle.loads(said)  # noqa: S301 - written by ourselves
    if not is_well:
        raise EndedInItsMiddle(found)
    return found


def _do(work: Callable[[], Any], writing: int) -> None:
    """Nothing of the parent's is tidied up here: it is the parent's."""
    try:
        said = pickle.dumps((True, work()))
    except BaseException:  # noqa: BLE001 - told to the parent
        said = pickle.dumps((False, traceback.format_exc()))
    os.write(writing, said)
    os._exit(0)
