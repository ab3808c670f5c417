"""The other side of the demonstration: starts the simulator on the port that it had before."""

import base64
import errno
import socket
from pathlib import Path

from workbench.embedded.home import Home
from workbench.embedded.process import Process, wait_until
from workbench.embedded.servers import python

START_SECONDS = 60


class SimulatorUnavailable(Exception):
    """The simulator did not start. The text says where to look."""


class SimulatorProcess:
    """The demonstration's connections name its port, so the port stays the same from start to start."""

    def __init__(self, home: Home, *, environment: dict[str, str], directory: Path) -> None:
        self.home = home
        self.port_file = home.path / "simulator-port"
        (home.path / "simulator").mkdir(mode=0o700, exist_ok=True)
        self.process = Process(
            home,
            "simulator",
            [
                *python("-m", "integrations.simulator"),
                *("--port", str(self._earlier_port())),
                *("--port-file", str(self.port_file)),
                *("--ledger", str(home.path / "simulator" / "ledger.jsonl")),
                *("--seed", "1"),
            ],
            environment=environment | self._secrets(),
            directory=directory,
        )

    def start(self) -> None:
        """Start it, wait for its port, and keep that port for every later start."""
        self.port_file.unlink(missing_ok=True)
        self.process.start()
        wait_until(lambda: self.process.exit_status() is not None or self.port_file.exists(), seconds=START_SECONDS)
        if not self.port_file.exists():
            raise SimulatorUnavailable(f"The simulator did not start:\n{self.process.last_lines()}")
        self.process.command[self.process.command.index("--port") + 1] = str(self._port())

    def environment(self) -> dict[str, str]:
        """Return what the demonstration's connections need in order to reach it."""
        return {"WB_SIMULATOR_URL": f"http://127.0.0.1:{self._port()}", **self._secrets()}

    def _secrets(self) -> dict[str, str]:
        key = base64.b64encode(self.home.secret("simulator-webhook").encode()).decode()
        return {
            "SIMULATOR_TOKEN": self.home.secret("simulator-token"),
            "SIMULATOR_WEBHOOK_SECRET": f"whsec_{key}",
        }

    def _port(self) -> int:
        return int(self.port_file.read_text(encoding="ascii"))

    def _earlier_port(self) -> int:
        """Return the port of the last start when it is free, else 0, which lets the simulator choose."""
        try:
            port = self._port()
        except (FileNotFoundError, ValueError):
            return 0
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return 0
        return port
