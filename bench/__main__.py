"""`python -m bench [NAME …] [--size SIZE] [--json]`: run the benchmarks and print their ratios."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

import django

from bench.figures import Figure, as_json, table
from bench.servers import private_servers
from bench.sizes import DEFAULT, SIZES, Size

# In this order, each with a module of its own and `measure(size)` in it.
NAMES = ("receive", "intake", "queue_page", "one_cause", "deliveries", "replays", "audit_trail")
BY_NAME = ("long_trail",)
"""Too long to be part of all of them."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed as ratios against a floor.")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(NAMES)}, which are all when left out, and {', '.join(BY_NAME)}",
    )
    parser.add_argument("--size", choices=list(SIZES), default=DEFAULT, help=f"how much work (default: {DEFAULT})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.names if name not in NAMES + BY_NAME]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; name some of {', '.join(NAMES + BY_NAME)}")
    figures = run(asked.names or NAMES, size=SIZES[asked.size])
    print(as_json(figures, size=asked.size) if asked.json else table(figures))


def run(names: Sequence[str], *, size: Size) -> list[Figure]:
    figures: list[Figure] = []
    with private_servers():
        django.setup()
        for name in names:
            print(f"{name} …", file=sys.stderr, flush=True)
            # Its models can be imported only now that Django knows which database is theirs.
            figures += import_module(f"bench.{name}").measure(size)
    return figures


if __name__ == "__main__":
    main()
