"""What goes wrong with a device: it repeats itself, its firmware sends rubbish, it loses its network."""

from __future__ import annotations

import time
from concurrent.futures import Future

from devices.client import Device


class FaultyDevice(Device):
    """A device that can also misbehave; otherwise it is the SDK as it is."""

    @property
    def last_seq(self) -> int:
        """The last number given, to reports and to answers."""
        return self._outbox.last_seq

    def repeat(self, events: int) -> int:
        """Send the newest events again, as if their receipts had been lost; how many went out."""
        newest = self._outbox.last_seq
        again = self._outbox.read(newest - events + 1, newest, events)
        if not again:
            return 0
        return len(again) if self._published(b"[" + b",".join(event.body for event in again) + b"]") else 0

    def babble(self, run: int) -> bool:
        """Publish an event that breaks off in the middle; whether it went out.

        Args:
            run: makes it another text each time: the same rubbish twice is one rejection.
        """
        broken_off = b'{"run":%d,"seq":%d,"time":%d,"type":"posit'
        return self._published(broken_off % (self.run, run, time.time_ns()))

    def _published(self, payload: bytes) -> bool:
        done: Future[bool] = Future()
        topic = self._sending.topic
        self._loop.call(lambda: done.set_result(self._sending.publish(topic, payload, time.monotonic())))
        return done.result(10)
