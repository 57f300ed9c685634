"""When a batch breaks for a reason that lies in one of its messages: which one is it?

Halves are tried again and again, each in a transaction that is rolled back, until single messages are
left. So a thousand messages cost some twenty trials for one that is poison, and its neighbours never
notice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

SYSTEMIC: Final = 8
"""More poison than this, and more than half of the batch: the fault is ours, not the messages'."""

Trial = Callable[[Sequence[int]], Exception | None]
"""Takes these messages down the road without committing; what broke them, or None."""


def find_poison(messages: Sequence[int], trial: Trial) -> dict[int, Exception]:
    """The messages that break by themselves, with what broke them; empty when no single one does.

    Empty also means: stop. A batch that breaks without any message, or that breaks for most of them, has
    met a fault of ours or of the database, and going on would turn good messages into rejections.
    """
    if trial([]) is not None:
        return {}
    found = _halve(messages, trial)
    if len(found) > SYSTEMIC and len(found) * 2 > len(messages):
        return {}
    return found


def _halve(messages: Sequence[int], trial: Trial) -> dict[int, Exception]:
    error = trial(messages)
    if error is None:
        return {}
    if len(messages) == 1:
        return {messages[0]: error}
    middle = len(messages) // 2
    return _halve(messages[:middle], trial) | _halve(messages[middle:], trial)


def last_line(error: Exception) -> str:
    """What a traceback ends with, short and storable: ``ValueError: that``."""
    text = f"{type(error).__name__}: {error}".strip().splitlines()
    return text[0].replace("\0", "\\0")[:500] if text else type(error).__name__
