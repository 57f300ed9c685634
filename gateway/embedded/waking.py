"""Waiting that ends at once when a child dies or a signal comes, without polling."""

import selectors
import signal
import socket
from types import TracebackType
from typing import Self


class Wakeup:
    """Within ``with``: :meth:`wait` returns early on any signal, also one whose handler does nothing."""

    def __enter__(self) -> Self:
        """Take over the process's wakeup descriptor (main thread only)."""
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self._in.setblocking(False)
        self._before = signal.set_wakeup_fd(self._in.fileno(), warn_on_full_buffer=False)
        self._child_before = signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        return self

    def wait(self, seconds: float) -> None:
        """Wait that long, or until a signal arrives."""
        if self._selector.select(seconds):
            while self._drain():
                pass

    def _drain(self) -> bool:
        try:
            return bool(self._out.recv(4096))
        except BlockingIOError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the descriptor back."""
        signal.set_wakeup_fd(self._before)
        signal.signal(signal.SIGCHLD, self._child_before)
        self._selector.close()
        self._out.close()
        self._in.close()
