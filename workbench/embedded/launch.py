"""Start one program so that it cannot outlive its parent; run as a script, with nothing but the standard library.

python launch.py PARENT_PID DEATH_SIGNAL IDENTITY PROGRAM ARGUMENT…

IDENTITY is ``same``, ``namespace`` (root becomes an unprivileged user inside a Linux user namespace, since PostgreSQL
refuses root) or ``UID:GID``. A script of its own rather than ``preexec_fn``: what runs between fork and exec must not
depend on the state of the parent.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
# Any number but zero will do: outside the namespace files still belong to root.
USER_INSIDE = 1000


def _write(path: str, content: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(content)


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "this kernel or container refuses user namespaces")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{USER_INSIDE} {uid} 1")
    _write("/proc/self/gid_map", f"{USER_INSIDE} {gid} 1")


def _become(identity: str) -> None:
    if identity == "namespace":
        _enter_user_namespace()
    elif identity != "same":
        uid, gid = (int(part) for part in identity.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def main() -> None:
    parent, death_signal, identity, *command = sys.argv[1:]
    os.setsid()  # Ctrl-C in the terminal is for the supervisor, which then stops the rest in order
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    _become(identity)
    if sys.platform == "linux":
        # After the change of identity, which clears it; then look whether the parent died before it was set.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(parent):
            sys.exit("the supervisor is gone")
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
