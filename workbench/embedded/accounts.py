"""As whom PostgreSQL runs, and where its files stand, when we are root: PostgreSQL refuses root."""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workbench.embedded.process import launcher

# Where every account may go, and what survives a restart of the machine.
REACHABLE_BASE = Path("/var/tmp")  # noqa: S108 - the directory below it is checked to be ours


class NoAccount(Exception):
    """Root has no way to run PostgreSQL here. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """An identity for launch.py; ``uid`` and ``gid`` are set when files must be handed over to another user."""

    identity: str
    uid: int | None = None
    gid: int | None = None

    def give(self, path: Path) -> Path:
        """Hand a file or directory over, when the account is another user's."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)
        return path


def find_account() -> Account:
    """Return ourselves, else root inside a user namespace, else the system's user postgres or nobody."""
    if os.geteuid() != 0:
        return Account("same")
    probe = [*launcher(death_signal=signal.SIGTERM, identity="namespace"), "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return Account("namespace")
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(f"{user.pw_uid}:{user.pw_gid}", user.pw_uid, user.pw_gid)
    raise NoAccount(
        "PostgreSQL does not run as root, this kernel refuses user namespaces, and there is neither a user postgres "
        "nor nobody. Start as an ordinary user, or set DATABASE_URL and DATABASE_OWNER_URL."
    )


def reachable_directory(home: Path) -> Path:
    """Return a directory of root's that belongs to this home and that other users can pass through."""
    base = REACHABLE_BASE / f"exception-workbench-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"
    base.mkdir(mode=0o711, exist_ok=True)
    base.chmod(0o711)
    if base.is_symlink() or base.stat().st_uid != os.geteuid():
        raise NoAccount(f"{base} belongs to somebody else. Remove it, or start as an ordinary user.")
    return base


def reachable_binaries(binaries: Path, base: Path) -> Path:
    """Return the binaries, copied below ``base`` when a directory above them is closed to other users."""
    if all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    site_packages, package = binaries.parents[2], binaries.parents[1].name
    copied = base / site_packages.name
    for directory in (package, f"{package}.libs"):
        if (site_packages / directory).is_dir():
            shutil.copytree(site_packages / directory, copied / directory, symlinks=True, dirs_exist_ok=True)
    return copied / binaries.relative_to(site_packages)
