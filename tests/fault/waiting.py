"""Waiting for a condition, with a deadline and a name for what was waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], deadline_s: float, what: str, *, every_s: float = 0.1) -> T:
    """The first true answer of ``condition``.

    Raises:
        TimeoutError: it didn't come in time; names what was waited for.
    """
    end = time.monotonic() + deadline_s
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {deadline_s:g} s for {what}")
        time.sleep(every_s)
    return answer
