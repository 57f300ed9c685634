"""Processes of the open-loop generator: how they connect again, how they end, how much they may open."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from simulators.load_device import Login
from simulators.load_run import Crowd, Target, Wanted, run

CONNECT, PUBLISH, DISCONNECT = 1, 3, 14
ADMITTED: Final = b"\x20\x02\x00\x00"


class Fickle(socketserver.ThreadingTCPServer):
    """A broker that breaks its first connection at the first publish, and the second before it is admitted."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.connections = 0

    @property
    def target(self) -> Target:
        return Target("127.0.0.1", self.server_address[1])


class Session(socketserver.StreamRequestHandler):
    server: Fickle

    def handle(self) -> None:
        self.server.connections += 1
        number = self.server.connections
        while (packet := self._packet()) is not None:
            kind, body = packet
            if kind == CONNECT:
                if number == 2:
                    return
                self.wfile.write(ADMITTED)
            elif kind == PUBLISH:
                if number == 1:
                    return
                size = int.from_bytes(body[:2])
                self.wfile.write(b"\x40\x02" + body[2 + size : 4 + size])

    def _packet(self) -> tuple[int, bytes] | None:
        head = self.rfile.read(1)
        length = shift = 0
        while head and (digit := self.rfile.read(1)):
            length |= (digit[0] & 0x7F) << shift
            shift += 7
            if not digit[0] & 0x80:
                return head[0] >> 4, self.rfile.read(length)
        return None


@contextmanager
def fickle() -> Iterator[Fickle]:
    with Fickle() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_an_attempt_that_fails_leaves_the_next_one_alone() -> None:
    wanted = Wanted(rate=10, for_s=2, per_publish=1, processes=1, drain_s=10, bare=True)
    with fickle() as broker:
        outcome = run(broker.target, wanted, Crowd([Login("LOAD/L-000000", "x")]))
    assert (outcome.figures.durable, outcome.figures.unanswered) == (20, 0)
    assert outcome.figures.connections == 2
    assert broker.connections == 3
