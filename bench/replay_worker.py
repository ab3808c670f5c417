"""A worker that replays what is due each time that it is told to, in a process of its own. Ends with its input."""

import sys

import django

django.setup()

from exceptions_app import replays  # noqa: E402


def main() -> None:
    print("ready", flush=True)
    for _ in sys.stdin:
        replays.carry_out_due()
        print("done", flush=True)


if __name__ == "__main__":
    main()
