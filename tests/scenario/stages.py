"""Installations to play on."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from devices.observation import micros
from gateway.clock import SimulatedClock, set_forward
from gateway.embedded.nats import last_stored
from gateway.subjects import STREAM
from simulators.playing.acts import AT_ONCE
from simulators.playing.comparing import Compared
from simulators.playing.player import Player
from simulators.playing.story import Story, device_of, number_of
from simulators.scripts.asking import Alarm
from simulators.scripts.format import Look
from simulators.scripts.timeline import Said, Timeline
from tests.fault.api import Api
from tests.fault.stack import Stack
from tests.fault.waiting import until
from tests.scenario.alarms import Listener
from tests.scenario.answers import Names, unanswered
from tests.scenario.keeping import miscounted, unopened
from tests.scenario.online import End, end_of
from tracking.store import positions, work
from tracking.store.database import connect

NEAR_US = 500_000
SETTLED_S = 120.0


class Staged(Api):
    """The system under test, under a simulated clock that jumps."""

    def __init__(self, stack: Stack, clock: Path) -> None:
        super().__init__(stack.api, stack.key)
        self._stack = stack
        self._clock = clock

    @property
    def broker(self) -> tuple[str, int]:
        return "127.0.0.1", self._stack.mqtt_port

    def stored(self) -> int | None:
        return last_stored(self._stack.endpoints()["nats_monitor"], STREAM)

    def reach(self, moment: datetime) -> None:
        if SimulatedClock(self._clock).now_us() + NEAR_US < micros(moment):
            set_forward(self._clock, micros(moment))

    def settle(self, moment: datetime) -> None:
        published = datetime.fromtimestamp(SimulatedClock(self._clock).now_us() / 1e6, UTC)
        moment = max(moment, published)
        with connect(self._stack.dsn) as conn:

            def is_settled() -> bool:
                through = positions.watermark(conn)
                return through is not None and through >= moment and work.unfinished(conn, through) == 0

            until(is_settled, SETTLED_S, f"everything up to {moment:%Y-%m-%d %H:%M} to be judged")


class Stage(Player):
    """One installation under a simulated clock, the means to kill parts of it, and more that is asked."""

    def __init__(self, stack: Stack, clock: Path) -> None:
        self.api = Staged(stack, clock)
        super().__init__(self.api)
        self.stack = stack
        self._as_it_came = True
        self._alarmed: set[tuple[str, datetime]] = set()

    def play(
        self,
        stories: Sequence[Story],
        *,
        midway: Callable[[], None] | None = None,
        shuffled: random.Random | None = None,
        **more: Any,
    ) -> None:
        self._as_it_came = midway is None and shuffled is None
        super().play(stories, midway=midway, shuffled=shuffled, **more)
        with connect(self.stack.dsn) as conn:
            self.looked.append(("", Compared([], list(miscounted(conn, self.said)))))

    def ends(self, timeline: Timeline) -> dict[str, End]:
        """How a story's shipments stand at its end, by their numbers."""
        until = timeline.moment(timeline.looks[-1].at)
        numbers = [number_of(timeline, shipment.number) for shipment in timeline.shipments]
        return {number: end_of(self.api, number, until) for number in numbers}

    def publish(self, story: Story, events: Sequence[Said]) -> None:
        awaited = list(self._awaited(story, events))
        begins = time.monotonic()
        super().publish(story, events)
        for alarm, listener in awaited:
            name = f"{story.name} {alarm.shipment} {alarm.rule}"
            took = listener.wait(alarm.rule, begins, alarm.within_s)
            if took is None:
                self.looked.append((story.name, Compared([f"{name} heard within {alarm.within_s:g} s"], [])))
            else:
                print(f"{name} heard after {took:.2f} s", file=sys.stderr)

    def asked(self, story: Story, look: Look, standing: Mapping[str, list[dict[str, Any]]]) -> Iterator[str]:
        assert isinstance(story, Timeline)
        names = Names(partial(number_of, story), partial(device_of, story))
        yield from unanswered(self.api, story, look, names, standing, as_it_came=self._as_it_came)
        if look is story.looks[-1]:
            for shipment, findings in standing.items():
                yield from unopened(self.api, number_of(story, shipment), findings, self.said)

    def _awaited(self, story: Story, events: Sequence[Said]) -> Iterator[tuple[Alarm, Listener]]:
        """Alarms that events must raise, and who listens for them."""
        if not self._as_it_came:
            return
        assert isinstance(story, Timeline)
        told = {(event.device, event.time) for event in events if event.fact["type"] in AT_ONCE}
        for alarm in story.alarms:
            said = (device_of(story, alarm.device), story.moment(alarm.at))
            if said in told and said not in self._alarmed:
                self._alarmed.add(said)
                number = number_of(story, alarm.shipment)
                yield alarm, Listener(self.stack.api, self.stack.key, number)


@contextmanager
def stage(directory: Path, begins: datetime) -> Iterator[Stage]:
    """A new installation in a directory, whose clock shows this moment."""
    clock = directory / "clock"
    set_forward(clock, micros(begins))
    clock.chmod(0o644)
    stack = Stack(directory, clock=clock)
    try:
        stack.start()
        playing = Stage(stack, clock)
        try:
            yield playing
        finally:
            playing.close()
    finally:
        stack.stop()
