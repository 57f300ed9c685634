"""Devices that report while others are killed: each lives through its story, a few events at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Self

from devices.client import Device
from tests.fault import story


class Talk:
    """Reports in a thread of its own for as long as the block lasts, or until everything is said.

    Args:
        devices: who report; each the same story.
        begin_ms: when the story begins.
        events: of each device.
        chunk: so many events of each device in a round.
        pause_s: between rounds.

    Attributes:
        published: the numbers of what each device has reported, by its name.
    """

    def __init__(
        self, devices: Sequence[Device], begin_ms: int, events: int, *, chunk: int, pause_s: float
    ) -> None:
        self.published: dict[str, list[int]] = {device.name: [] for device in devices}
        self._speakers = [(device, iter(list(story.drive(begin_ms, events)))) for device in devices]
        self._chunk, self._pause_s = chunk, pause_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="devices")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def is_done(self) -> bool:
        """Whether everything is said."""
        return not self._thread.is_alive()

    @property
    def count(self) -> int:
        """Of all events reported so far."""
        return sum(map(len, self.published.values()))

    def wait(self, seconds: float) -> None:
        """Let them talk for a while."""
        self._over.wait(seconds)

    def _run(self) -> None:
        while not self._over.is_set():
            busy = False
            for device, steps in self._speakers:
                batch = [
                    (step.time_ms, step.fact) for _, step in zip(range(self._chunk), steps, strict=False)
                ]
                if batch:
                    self.published[device.name] += device.report_all(batch, wait_s=120)
                    busy = True
            if not busy:
                return
            self._over.wait(self._pause_s)
