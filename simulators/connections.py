"""How many connections a process may have: each is an open file, of which a shell often allows only 1,024."""

from __future__ import annotations

import resource
from typing import Final

OTHER_FILES: Final = 64
"""What a process has open besides. Ours: a worker has about twenty."""


class TooManyConnections(OSError):
    """This machine doesn't let one process have so many; the message says how many files that takes."""


def allow(connections: int) -> None:
    """Raise this process's limit of open files as far as it needs; those that it starts inherit it.

    Raises:
        TooManyConnections: the hard limit, which only the machine's owner raises, is lower.
    """
    needed = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard < needed:
        raise TooManyConnections(
            f"{connections:,} connections of one process need {needed:,} open files, and it may have {hard:,}"
            " (ulimit -Hn)"
        )
    if resource.RLIM_INFINITY != soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
