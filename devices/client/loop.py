"""One thread that drives the connections of many devices.

A device in a scanner has its own; a simulator gives one `Loop` to a hundred devices. What may block (name
look-up, TCP connect, TLS handshake) happens in a few helper threads, so that one unreachable broker doesn't
hold up the others.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

Sock: TypeAlias = Any
"""A socket, plain or TLS; whatever a selector takes."""

_CONNECTING_AT_ONCE: Final = 8
_LONGEST_SLEEP_S: Final = 1.0


class Driven(Protocol):
    """What the loop drives. Every method is called in the loop's thread, and none may block."""

    due: float
    """When `tick` wants to be called, on `time.monotonic`; 0 for as soon as possible."""

    def readable(self) -> None:
        """The socket has something to read."""

    def writable(self) -> None:
        """The socket takes more bytes."""

    def tick(self, now: float) -> None:
        """It is due; set ``due`` anew."""

    def wants_write(self) -> bool:
        """Bytes are waiting to be written."""

    def failed(self, error: Exception) -> None:
        """One of the above raised: the loop has let go of it."""


class Loop:
    """A network thread. Close it when every device that uses it is closed."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._driven: dict[Driven, Sock | None] = {}
        self._jobs: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._rung = False
        self._closing = False
        self.background: Final = ThreadPoolExecutor(
            _CONNECTING_AT_ONCE, thread_name_prefix="bondwatch-connect"
        )
        self._thread = threading.Thread(target=self._run, name="bondwatch-loop", daemon=True)
        self._thread.start()

    def call(self, job: Callable[[], None]) -> None:
        """Run this in the loop's thread, soon."""
        with self._lock:
            self._jobs.append(job)
        self.ring()

    def ring(self) -> None:
        """Wake the thread, so that it looks at who is due."""
        with self._lock:
            if self._rung or self._closing:
                return
            self._rung = True
        self._bell.send(b"\0")

    def add(self, driven: Driven) -> None:
        """Drive this from now on (from the loop's thread)."""
        self._driven.setdefault(driven, None)

    def watch(self, driven: Driven, sock: Sock) -> None:
        """This socket belongs to it (from the loop's thread)."""
        self._selector.register(sock, selectors.EVENT_READ, driven)
        self._driven[driven] = sock

    def unwatch(self, driven: Driven) -> None:
        """Its socket is about to be closed (from the loop's thread)."""
        sock = self._driven.get(driven)
        if sock is not None:
            self._selector.unregister(sock)
            self._driven[driven] = None

    def remove(self, driven: Driven) -> None:
        """Stop driving it (from the loop's thread)."""
        self.unwatch(driven)
        self._driven.pop(driven, None)

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._bell.send(b"\0")
        self._thread.join()
        self.background.shutdown(wait=True, cancel_futures=True)
        self._selector.close()
        self._bell.close()
        self._ear.close()

    def _run(self) -> None:
        try:
            while not self._closing:
                self._turn()
        except Exception as error:
            for driven in list(self._driven):
                driven.failed(error)
            raise

    def _turn(self) -> None:
        now = time.monotonic()
        next_due = min((driven.due for driven in self._driven), default=now + _LONGEST_SLEEP_S)
        active: set[Driven] = set()
        for key, mask in self._selector.select(min(max(next_due - now, 0.0), _LONGEST_SLEEP_S)):
            if key.fileobj is self._ear:
                self._ear.recv(64)
                self._rung = False
                continue
            active.add(key.data)
            if mask & selectors.EVENT_READ:
                self._guarded(key.data, key.data.readable)
            if mask & selectors.EVENT_WRITE and self._driven.get(key.data) is not None:
                self._guarded(key.data, key.data.writable)
        with self._lock:
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            job()
        now = time.monotonic()
        for driven in [driven for driven in self._driven if driven.due <= now]:
            active.add(driven)
            self._guarded(driven, partial(driven.tick, now))
        for driven in active:
            self._set_interest(driven)

    def _guarded(self, driven: Driven, action: Callable[[], None]) -> None:
        """One device's failure (a full disk under its outbox) is its own; its neighbours go on."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 - handed to the device, whose next call raises it
            self.remove(driven)
            driven.failed(error)

    def _set_interest(self, driven: Driven) -> None:
        sock = self._driven.get(driven)
        if sock is None:
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if driven.wants_write() else 0)
        if self._selector.get_key(sock).events != wanted:
            self._selector.modify(sock, wanted, driven)
