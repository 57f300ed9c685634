"""The client ids of one MQTT worker: held by leases, a link kept open under each, orphans adopted and
drained.

A worker has one client id of its own, subscribed. When another worker is gone, its client id still gets its
share of the messages: whoever sees the lease end adopts it, takes the subscription back, drains what waits
there, and lets the broker forget the session.

The watermark: a broker doesn't tell what it still holds for us. But it sends as long as the window
(``receive_max``) isn't full; a window that never filled up during a whole interval shows that nothing was
held back then. So everything that came before such an interval, once recorded, is everything that there was.
(This needs a broker that doesn't cap the window itself: ``docs/brokers.md``.)
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import Final

import psycopg
import structlog

from gateway.pipeline.batch import Message
from gateway.sources.leases import RENEW_S, SessionLeases
from gateway.sources.mqtt_link import Link
from gateway.sources.mqtt_terms import Address, LinkLost, Session, Unwelcome
from tracking.store import sessions

EVENTS: Final = "$share/bondwatch/bw/v1/+/+/events"

SESSION_EXPIRY_S: Final = 7 * 86400
"""How long the broker keeps messages for a client id while no worker runs at all."""

QUIET_S: Final = 1.5
"""An adopted session that brings nothing for so long, with nothing unacknowledged, is empty."""

MARGIN_US: Final = 1_000_000
_NEARLY_FULL: Final = 0.9
_BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

log = structlog.get_logger()


class Held:
    """A client id that this worker holds, and the task that keeps a link open under it.

    Attributes:
        ready_s: since when the link is subscribed (or being drained), on the monotonic clock; None: it isn't.
    """

    def __init__(self, session: sessions.Session, *, draining: bool) -> None:
        self.session = session
        self.draining = draining
        self.link: Link | None = None
        self.ready_s: float | None = None
        self.task: asyncio.Task[None] | None = None


class HeldSessions:
    """See the module.

    Attributes:
        reachable_s: when a link was last seen open, on the monotonic clock.
        trouble: why the last link was lost, for people.
        unwelcome: why the broker won't have us, once it said so.
        through_us: broker time up to which everything was recorded when this was last marked.
    """

    def __init__(
        self,
        address: Address,
        leases: SessionLeases,
        receive_max: int,
        *,
        deliver: Callable[[Link, int, Message], None],
        forget: Callable[[Link], None],
        oldest_us: Callable[[], int | None],
    ) -> None:
        """Nothing is leased yet: see :meth:`start`.

        Args:
            address: the broker.
            leases: this worker's client ids.
            receive_max: the window of each link.
            deliver: called for each message.
            forget: called for each link that is gone.
            oldest_us: when the oldest message came that is not recorded; None: all are.
        """
        self._address = address
        self._leases = leases
        self._receive_max = receive_max
        self._deliver = deliver
        self._forget = forget
        self._oldest_us = oldest_us
        self._held: dict[str, Held] = {}
        self._paused = False
        self._keeper: asyncio.Task[None] | None = None
        self.reachable_s = time.monotonic()
        self.trouble = "no connection yet"
        self.unwelcome: Unwelcome | None = None
        self.through_us = 0

    async def start(self) -> None:
        """Lease a client id and begin to connect."""
        self._hold(await self._leases.claim(), draining=False)
        self._keeper = asyncio.create_task(self._keep_leases(), name="mqtt-leases")

    async def close(self) -> None:
        """Disconnect; the sessions stay, and others may adopt them at once."""
        tasks = [task for task in (*(held.task for held in self._held.values()), self._keeper) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # check has told of what ended one
        for link in self.links():
            await link.disconnect()
        with contextlib.suppress(psycopg.OperationalError):  # then the leases end by themselves
            await self._leases.release()

    def check(self) -> None:
        """Raise what ended the keeping of leases or of a link: a bug must not look like silence."""
        for task in (self._keeper, *(held.task for held in self._held.values())):
            if task is not None and task.done() and not task.cancelled():
                task.result()

    @property
    def ready(self) -> list[str]:
        """The client ids whose link is subscribed, or being drained."""
        return sorted(name for name, held in self._held.items() if held.ready_s is not None)

    def links(self) -> Iterator[Link]:
        """The links that there are."""
        return (held.link for held in self._held.values() if held.link is not None)

    def pause(self, *, paused: bool) -> None:
        """Let what brokers send wait in the kernel, or go on."""
        self._paused = paused
        for link in self.links():
            link.pause(paused=paused)

    # -- links

    def _hold(self, session: sessions.Session, *, draining: bool) -> None:
        held = self._held[session.client_id] = Held(session, draining=draining)
        held.task = asyncio.create_task(self._keep_open(held), name=f"mqtt {session.client_id}")

    async def _keep_open(self, held: Held) -> None:
        """Connect under this client id, again and again, until it is drained or lost."""
        failures = 0
        while True:
            try:
                await self._open_link(held)
                failures = 0
                assert held.link is not None
                if held.draining and await self._drain(held, held.link):
                    return
                await held.link.wait_closed()
                raise LinkLost(held.link.closed_because)
            except LinkLost as error:
                self.trouble = str(error)
                log.info("mqtt_link_lost", client_id=held.session.client_id, reason=self.trouble)
            except Unwelcome as error:
                self.unwelcome = error
                if held.link is not None:
                    held.link.abort("unwelcome")
                return
            finally:
                held.ready_s = None
                if held.link is not None and not held.link.is_open:
                    self._forget(held.link)
            pause = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads a crowd of workers
            failures += 1

    async def _open_link(self, held: Held) -> None:
        session = Session(held.session.client_id, SESSION_EXPIRY_S, self._receive_max)
        held.link = link = await Link.open(self._address, session, self._deliver)
        link.pause(paused=self._paused)
        if held.draining:
            await link.unsubscribe(EVENTS)
        else:
            await link.subscribe(EVENTS)
        held.ready_s = time.monotonic()
        log.info("mqtt_link_open", client_id=held.session.client_id, resumed=link.resumed)

    async def _drain(self, held: Held, link: Link) -> bool:
        """Wait until an adopted session is empty, then let the broker forget it. False: the link was lost."""
        while link.is_open:
            quiet_s = time.monotonic() - max(link.last_message, held.ready_s or 0.0)
            if not link.unacknowledged and quiet_s > QUIET_S:
                await link.disconnect(forget_session=True)
                with contextlib.suppress(psycopg.OperationalError):  # then somebody drains an empty session
                    await self._leases.drained(held.session)
                self._held.pop(held.session.client_id, None)
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(link.wait_closed(), max(QUIET_S - quiet_s, QUIET_S / 5))
        return False

    # -- leases and the watermark

    async def _keep_leases(self) -> None:
        window_us = time.time_ns() // 1000
        while True:
            await asyncio.sleep(RENEW_S)
            began_us, window_us = window_us, time.time_ns() // 1000
            if any(held.ready_s is not None for held in self._held.values()):
                self.reachable_s = time.monotonic()
            try:
                await self._settle_leases()
                await self._mark(began_us)
            except psycopg.OperationalError as error:
                log.warning("lease_not_renewed", error=str(error).strip())

    async def _settle_leases(self) -> None:
        """Drop what others have taken over, adopt what nobody holds, keep one client id of our own."""
        ours = {session.client_id: session for session in await self._leases.keep()}
        for name, held in list(self._held.items()):
            if ours.get(name) != held.session:
                del self._held[name]
                assert held.task is not None
                held.task.cancel()
                if held.link is not None:
                    held.link.abort("adopted by another worker")
                    self._forget(held.link)
        for session in ours.values():
            if session.client_id not in self._held:
                self._hold(session, draining=True)
        if all(held.draining for held in self._held.values()) and self.unwelcome is None:
            self._hold(await self._leases.claim(), draining=False)
        elif (orphan := await self._leases.adopt()) is not None:
            log.info("mqtt_session_adopted", client_id=orphan.client_id)
            self._hold(orphan, draining=True)

    async def _mark(self, began_us: int) -> None:
        """Say how far the sessions are recorded whose window never filled up since ``began_us``."""
        emptied = []
        began_s = time.monotonic() - (time.time_ns() // 1000 - began_us) / 1_000_000
        for held in self._held.values():
            if held.link is None or held.ready_s is None:
                continue
            peak = held.link.take_peak()
            if held.ready_s < began_s and not self._paused and peak < self._receive_max * _NEARLY_FULL:
                emptied.append(held.session)
        through_us, oldest_us = began_us - MARGIN_US, self._oldest_us()
        if oldest_us is not None:
            through_us = min(through_us, oldest_us - 1)
        if emptied and through_us > 0:
            self.through_us = through_us
            await self._leases.mark(emptied, through_us)
