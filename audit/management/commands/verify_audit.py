from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.keys import VerifierKey, parse_verifier_key, verifier_keys
from audit.notes import SignedNote, parse_notes
from audit.verify import verify


class Command(BaseCommand):
    help = "Recompute the audit log's hashes, chain, Merkle roots and signatures. Exit status 1 names the first fault."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--checkpoint",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="a file with checkpoints kept outside the database; only these can show that the newest events "
            "were cut off (may be given more than once)",
        )
        parser.add_argument(
            "--key",
            action="append",
            default=[],
            metavar="NAME+ID+BASE64",
            help="accept this verifier key instead of the configured ones (may be given more than once)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        notes = [note for path in options["checkpoint"] for note in _read(path)]
        result = verify(outside=notes, keys=_keys(options["key"]))
        if result.fault is not None:
            raise CommandError(f"{result.fault} ({result.sealed} sealed events before it are good)", returncode=1)
        compared = f", compared with {len(notes)} from outside" if notes else ", none from outside given"
        self.stdout.write(
            f"The audit log is whole: {result.sealed} sealed events, {result.unsealed} waiting to be sealed, "
            f"{result.checkpoints} checkpoints{compared}."
        )


def _read(path: Path) -> list[SignedNote]:
    try:
        notes = parse_notes(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--checkpoint {path} cannot be read: {error}") from error
    if not notes:
        raise CommandError(f"--checkpoint {path} holds no checkpoint. Give a file written by the checkpoint sink.")
    return notes


def _keys(texts: list[str]) -> dict[str, VerifierKey]:
    try:
        keys = [parse_verifier_key(text) for text in texts]
    except ValueError as error:
        raise CommandError(f"--key: {error}") from error
    return {key.key_id: key for key in keys} if keys else dict(verifier_keys())
