"""A file outside the database that receives every checkpoint (setting ``AUDIT_CHECKPOINT_SINK``, optional).

Without a checkpoint kept elsewhere nobody can tell that the newest events were cut off. Put the file on another
volume, append-only where the file system can do that.
"""

from __future__ import annotations

import fcntl
import os
from io import FileIO
from pathlib import Path

from django.conf import settings

from audit.models import AuditCheckpoint
from audit.notes import parse_notes

# Longer than two notes, so that the last complete one is within it.
TAIL_BYTES = 8192


def publish() -> int:
    """Append the checkpoints that the sink does not have yet; return how many. Raises ``OSError`` when it cannot.

    A checkpoint that could not be written is written by the next call: nothing needs to be repeated by hand.
    """
    name = str(getattr(settings, "AUDIT_CHECKPOINT_SINK", "") or "")
    if not name:
        return 0
    descriptor = os.open(Path(name), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
    with FileIO(descriptor, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        tail = _tail(file)
        present = parse_notes(tail)
        missing = AuditCheckpoint.objects.order_by("size")
        if present:
            missing = missing.filter(size__gt=present[-1].checkpoint.size)
        written = 0
        for checkpoint in missing.iterator():
            separator = "" if not written and (not tail or tail.endswith("\n")) else "\n"
            file.write(f"{separator}{checkpoint.signed_note}".encode())
            written += 1
        if written:
            os.fsync(file.fileno())
    return written


def _tail(file: FileIO) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL_BYTES))
    return file.read(TAIL_BYTES).decode("utf-8", errors="replace")
