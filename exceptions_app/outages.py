"""What is missing here when a request cannot be carried out: the database, or room on a disk."""

import errno
from enum import StrEnum

from django.db import InterfaceError, OperationalError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_DISK_FULL = "53100"  # SQLSTATE disk_full
# SQLSTATE classes and codes that say nothing about the request itself: connection, transaction to be repeated,
# resources, lock not available, operator's intervention, system error.
_PASSING = ("08", "40", "53", "55P03", "57", "58")
NO_STATE = ""  # the connection broke before the server could give one


class Outage(StrEnum):
    """`DATABASE`: whether what was asked for was kept is not known, since even a commit may have gone unanswered."""

    DATABASE = "database"
    DISK = "disk"

    @property
    def retry_after(self) -> int:
        """Seconds after which it is worth while to try again."""
        return 30 if self is Outage.DISK else 5


def outage_of(error: BaseException | None) -> Outage | None:
    """The outage that the error speaks of; None when it speaks of anything else."""
    if isinstance(error, OperationalError | InterfaceError):
        state = getattr(error.__cause__, "sqlstate", None) or NO_STATE
        if state == _DISK_FULL:
            return Outage.DISK
        return Outage.DATABASE if state == NO_STATE or state.startswith(_PASSING) else None
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return Outage.DISK
    return None
