"""./run                    start everything and keep it running; Ctrl-C stops it
./run manage COMMAND …   run one management command, against what is up or with servers of its own meanwhile"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from types import FrameType

from workbench.embedded.accounts import NoAccount
from workbench.embedded.home import AlreadyRunning, Home
from workbench.embedded.port import PortTaken
from workbench.embedded.postgres import PostgresUnavailable
from workbench.embedded.process import stop_leftovers
from workbench.embedded.servers import Servers, python
from workbench.embedded.simulator import SimulatorUnavailable
from workbench.embedded.stack import ROOT, CannotStart, Stack
from workbench.embedded.valkey import ValkeyUnavailable

ANTICIPATED = (
    AlreadyRunning,
    CannotStart,
    NoAccount,
    PortTaken,
    PostgresUnavailable,
    SimulatorUnavailable,
    ValkeyUnavailable,
)
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# These concern the schema itself, so bringing the schema up to date first would be in their way.
WITHOUT_MIGRATING = frozenset({"migrate", "makemigrations", "showmigrations", "sqlmigrate", "help", "check"})
POLL_SECONDS = 0.2


class StopRequested(BaseException):
    """A signal asked us to stop. Like KeyboardInterrupt it is for the outermost level alone."""


def say(message: str) -> None:
    # Nobody hears it when the disk is full to which it is led; that is no reason to stop.
    with contextlib.suppress(OSError):
        print(f"[{datetime.now().astimezone():%H:%M:%S}] {message}", flush=True)


def request_stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    handle_stop_signals(signal.SIG_IGN)  # a second Ctrl-C must not interrupt the stopping
    raise StopRequested


def handle_stop_signals(handler: object) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, handler)  # type: ignore[arg-type]


def serve(home: Home) -> int:
    """Start everything and keep it running until a signal says stop."""
    try:
        home.lock()
    except AlreadyRunning:
        state = home.read_state()
        where = f" at {state['url']} (process {state['supervisor']})" if state else ""
        print(
            f"It is already running{where}, in {home.path}. Stop it first, or set WB_HOME to another directory.",
            file=sys.stderr,
        )
        return 1
    stack = Stack(home, say=say)
    handle_stop_signals(request_stop)
    try:
        stack.start()
        say("press Ctrl-C to stop")
        stack.run()
    except StopRequested:
        say("stopping")
    finally:
        handle_stop_signals(signal.SIG_IGN)
        stack.stop()
    say("stopped")
    return 0


def manage(home: Home, arguments: list[str]) -> int:
    """Run one management command where the servers are, or start them for as long as it takes."""
    running = wait_for_servers_or_lock(home)
    if running:
        return run_command(arguments, environment=running)
    stop_leftovers(home)
    servers = Servers(home)
    handle_stop_signals(request_stop)
    try:
        servers.start()
        if arguments[0] not in WITHOUT_MIGRATING:
            status = run_command(["migrate", "--verbosity", "0"], environment=servers.environment())
            if status != 0:
                return status
        return run_command(arguments, environment=servers.environment())
    except StopRequested:
        return 130
    finally:
        handle_stop_signals(signal.SIG_IGN)
        servers.stop()


def wait_for_servers_or_lock(home: Home) -> dict[str, str]:
    """Return the environment of what is up; an empty one when nothing is and this process may start it."""
    while True:
        try:
            home.lock()
        except AlreadyRunning:
            state = home.read_state()
            if state:
                environment: dict[str, str] = state["environment"]
                return environment
            time.sleep(POLL_SECONDS)  # another command, or ./run that is still starting
        else:
            home.forget_state()
            return {}


def run_command(arguments: list[str], *, environment: dict[str, str]) -> int:
    """Run manage.py on this terminal; Ctrl-C is the command's to handle."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    child = subprocess.Popen(python("manage.py", *arguments), cwd=ROOT, env=os.environ | environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: child.send_signal(number))
    try:
        return child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> int:
    if sys.argv[1:] in (["--help"], ["-h"]):
        print(__doc__)
        return 0
    home = Home(Path(os.environ.get("WB_HOME", "").strip() or ROOT / "var"))
    try:
        match sys.argv[1:]:
            case []:
                return serve(home)
            case ["manage", command, *rest]:
                return manage(home, [command, *rest])
    except ANTICIPATED as error:
        print(error, file=sys.stderr)
        return 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
