"""Executes a program that dies when its parent does. Run as a script, before anything else is imported.

    python -I -S launch.py PARENT DEATH_SIGNAL UID GID PROGRAM [ARGUMENT …]

A separate program, because Python code between fork and exec may deadlock in a process that has threads. UID 0 keeps
the user. Another UID is for PostgreSQL, which refuses to run as root: it runs as that user and keeps only the
capability to bypass file permissions, so that the data folder can stay private.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def die_with_parent(parent: int, death_signal: int) -> None:
    """Have Linux send `death_signal` when the parent thread ends. Elsewhere the next start stops what is left."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # the parent died before this call
        sys.exit(1)


def drop_root(uid: int, gid: int) -> None:
    """Change from root to a user that still bypasses file permissions. Raises OSError where that is forbidden."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: object) -> None:
        if getattr(libc, name)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")

    call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    mask = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; then the high words
    call("capset", header, sets)
    call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def main(arguments: list[str]) -> None:
    """Drop privileges, then execute the program."""
    parent, death_signal, uid, gid = map(int, arguments[:4])
    if uid:
        drop_root(uid, gid)
    die_with_parent(parent, death_signal)  # last, since changing the user clears it
    os.execv(arguments[4], arguments[4:])  # noqa: S606 - the program is ours


if __name__ == "__main__":
    main(sys.argv[1:])
