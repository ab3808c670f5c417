"""`python -m integrations.simulator`: listens on 127.0.0.1 until it is told to stop."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from integrations.simulator.ledger import Ledger, LedgerInUse
from integrations.simulator.server import Secrets, Simulator


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m integrations.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (default) takes a free one")
    parser.add_argument("--port-file", type=Path, help="the port is written here once the simulator listens")
    parser.add_argument("--ledger", type=Path, required=True, help="JSON Lines file of what was booked")
    parser.add_argument("--seed", type=int, default=0, help="clearance numbers derive from it")
    parser.add_argument("--token", default=os.environ.get("SIMULATOR_TOKEN", ""), help="or SIMULATOR_TOKEN")
    parser.add_argument(
        "--webhook-secret", default=os.environ.get("SIMULATOR_WEBHOOK_SECRET", ""), help="or SIMULATOR_WEBHOOK_SECRET"
    )
    parser.add_argument("--allow-reset", action="store_true", help="let POST /control/reset forget everything")
    arguments = parser.parse_args()
    if not arguments.token:
        parser.error("a bearer token is needed: set SIMULATOR_TOKEN or give --token")
    try:
        Webhook(arguments.webhook_secret)
    except (ValueError, EmptyWebhookSecretError):
        parser.error(
            "a webhook secret is needed, whsec_ and base64: set SIMULATOR_WEBHOOK_SECRET or give --webhook-secret"
        )
    return arguments


def _write_port(path: Path, port: int) -> None:
    """Whole or not at all: who waits for the file never reads half a number."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(f"{port}\n")
    draft.replace(path)


def main() -> int:
    arguments = _arguments()
    try:
        simulator = Simulator(
            port=arguments.port,
            ledger=Ledger(arguments.ledger),
            seed=arguments.seed,
            secrets=Secrets(token=arguments.token, webhook=arguments.webhook_secret),
            allow_reset=arguments.allow_reset,
        )
    except LedgerInUse as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The simulator cannot start: {error}", file=sys.stderr)
        return 1

    def stop(*_: object) -> None:
        # shutdown() waits for the loop that this signal interrupted, so it must be called beside it.
        threading.Thread(target=simulator.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    port = simulator.server_address[1]
    if arguments.port_file:
        _write_port(arguments.port_file, port)
    print(f"simulator on http://127.0.0.1:{port}", flush=True)
    with simulator:
        simulator.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
