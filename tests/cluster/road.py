"""A piece of network: forwards TCP connections to servers, in turn; can be cut like a cable."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

PIECE_BYTES = 64 << 10


class Road:
    """Listens on a loopback port and forwards each connection to the next target that takes it.

    Cut, it is silent: nothing passes either way, nobody is told, new connections get no answer. Mended, the
    connections of before are gone, as with a router that has forgotten them.

    Args:
        targets: loopback ports to forward to.
        tls: ends TLS here, as a balancer does; None: passes bytes as they are.
    """

    def __init__(self, targets: Sequence[int], tls: ssl.SSLContext | None = None) -> None:
        self._targets = list(targets)
        self._next = 0
        self._open = True
        self._pairs: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="road", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls))
        self.port = int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """From now on nothing passes."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def mend(self) -> None:
        """New connections pass again; those of before the cut end."""

        async def mend() -> None:
            for pair in self._pairs:
                pair.cancel()
            self._passing.set()

        self._do(mend())

    def close(self) -> None:
        """End everything."""

        async def close() -> None:
            self._server.close()
            for pair in self._pairs:
                pair.cancel()
            await asyncio.gather(*self._pairs, return_exceptions=True)

        self._do(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _accept(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        task.add_done_callback(self._pairs.discard)
        writers = [back]
        try:
            await self._passing.wait()
            far, forth = await self._reach()
            writers.append(forth)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(near, forth))
                both.create_task(self._pump(far, back))
        except* (OSError, asyncio.CancelledError):
            pass  # an end of this connection: either side's, or ours
        finally:
            for writer in writers:
                writer.transport.abort()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in self._targets:
            target = self._targets[self._next % len(self._targets)]
            self._next += 1
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", target)
        raise ConnectionRefusedError("no target takes connections")

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(PIECE_BYTES):
            await self._passing.wait()
            sink.write(piece)
            await sink.drain()
        raise ConnectionResetError("closed")
