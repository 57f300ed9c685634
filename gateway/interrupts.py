"""Commands that start processes and remove them: told to end in any way, they end as by Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

TOLD_ONCE: Final = (signal.SIGTERM, signal.SIGHUP)


def end_as_by_ctrl_c() -> None:
    """SIGTERM and a closed terminal raise KeyboardInterrupt from now on, in the main thread.

    Only the first of them does: one more would break off the ending that it asks for. Ctrl-C twice does, as
    ever. What is ignored (``nohup``) stays ignored.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for told in TOLD_ONCE:
            signal.signal(told, lambda *_: None)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, *TOLD_ONCE):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


@contextmanager
def ended_in_any_case(process: subprocess.Popen[Any]) -> Iterator[None]:
    """What breaks the block off kills the process; ``Popen`` itself leaves it running after an interrupt."""
    try:
        yield
    except BaseException:
        process.kill()
        raise
