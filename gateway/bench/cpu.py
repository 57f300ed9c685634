"""CPU time of whole process trees, whether their members still live or not."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


def tree_seconds(roots: Iterable[int]) -> float:
    """User and system seconds spent so far by processes and all their descendants.

    A process that has ended counts through its parent once it was waited for, which PostgreSQL does with its
    backends and the supervisor with its children.

    Args:
        roots: process ids; one that is gone counts nothing.
    """
    seen: set[int] = set()
    total = 0.0
    for root in roots:
        try:
            process = psutil.Process(root)
            members = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for member in members:
            if member.pid in seen:
                continue
            seen.add(member.pid)
            try:
                times = member.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
    return total
