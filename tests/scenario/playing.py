"""Plays scripts on a real installation: the clock goes forward, devices publish, people post, and at each
look what stands is compared with what should.
"""

from __future__ import annotations

import random
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from devices.observation import micros
from gateway.clock import SimulatedClock, set_forward
from simulators.places import load as load_places
from simulators.scripts.actors import Document, Shipment
from simulators.scripts.asking import Alarm
from simulators.scripts.format import Look
from simulators.scripts.timeline import LOCAL, Said, Timeline
from tests.fault.api import Api
from tests.fault.stack import Stack
from tests.fault.waiting import until
from tests.scenario.alarms import Listener
from tests.scenario.answers import Names, unanswered
from tests.scenario.chains import chain_of
from tests.scenario.comparing import Compared, compare
from tests.scenario.keeping import miscounted, unopened
from tests.scenario.online import End, end_of
from tests.scenario.voices import RUN, Voices
from tracking.store import positions, work
from tracking.store.database import connect

STEP = timedelta(minutes=10)
AT_ONCE = frozenset({"gate", "seal", "handover"})
NEAR_US = 500_000
SETTLED_S = 120.0


class Act(NamedTuple):
    """Something to be done at a moment; the order within a moment is: post, publish, look."""

    at: datetime
    order: int
    place: int
    do: Callable[[], None]


class Stage:
    """One installation under a simulated clock.

    Attributes:
        compared: what each look found.
        published: events.
    """

    def __init__(self, stack: Stack, voices_of: dict[str, str]) -> None:
        self.stack = stack
        self.api = Api(stack.api, stack.key)
        self.places = load_places()
        self.secrets = voices_of
        self.compared: list[Compared] = []
        self.published = 0
        self._last: dict[str, int] = {}
        self._voices = Voices(stack.mqtt_port, self.secrets)
        self._as_it_came = True
        self._alarmed: set[tuple[str, datetime]] = set()
        self._build()

    def close(self) -> None:
        """Let the devices go."""
        self._voices.__exit__()

    def play(
        self,
        timelines: Sequence[Timeline],
        *,
        midway: Callable[[], None] | None = None,
        shuffled: random.Random | None = None,
    ) -> None:
        """Play these stories at the same time.

        Args:
            timelines: the stories.
            midway: done when half of everything has been done.
            shuffled: everything that devices say arrives at their story's last look, in any order, and only
                that look is taken.
        """
        acts: list[Act] = []
        self._as_it_came = midway is None and shuffled is None
        told = self._numbered(timelines)
        for timeline, said in zip(timelines, told, strict=True):
            events = said if shuffled is None else _at_the_end(timeline, said, shuffled)
            looks = timeline.looks if shuffled is None else timeline.looks[-1:]
            acts += self._acts(timeline, events, looks, len(acts))
        acts.sort()
        for place, act in enumerate(acts):
            if midway is not None and place == len(acts) // 2:
                midway()
            self._set_clock(act.at)
            act.do()
        with connect(self.stack.dsn) as conn:
            self.compared.append(Compared([], list(miscounted(conn, self._voices.said))))

    def ends(self, timeline: Timeline) -> dict[str, End]:
        """How a story's shipments stand at its end, by their numbers."""
        until = timeline.moment(timeline.looks[-1].at)
        numbers = [self._number(timeline, shipment.number) for shipment in timeline.shipments]
        return {number: end_of(self.api, number, until) for number in numbers}

    def _numbered(self, timelines: Sequence[Timeline]) -> list[list[Said]]:
        """What each story's devices say, each device counting on through all of them in order of time."""
        told = [[self._named(timeline, event) for event in timeline.said()] for timeline in timelines]
        numbers: dict[tuple[int, str, int], int] = {}
        events = {
            (one.device, one.time, place, one.number) for place, said in enumerate(told) for one in said
        }
        for device, _, place, number in sorted(events):
            self._last[device] = self._last.get(device, 0) + 1
            numbers[place, device, number] = self._last[device]
        return [
            [one._replace(number=numbers[place, one.device, one.number]) for one in said]
            for place, said in enumerate(told)
        ]

    def _acts(
        self, timeline: Timeline, said: Sequence[Said], looks: Sequence[Look], first: int
    ) -> Iterator[Act]:
        self._register(timeline)
        place = first
        yield Act(timeline.begins, 0, place, partial(self._open, timeline))
        for document in timeline.documents:
            place += 1
            at = timeline.moment(document.told_at or document.at)
            yield Act(at, 1, place, partial(self._post, timeline, document, said))
        for revision in timeline.revisions:
            place += 1
            body = {"from": timeline.moment(revision.at).isoformat(), "terms": timeline.terms(revision.terms)}
            path = f"/v1/shipments/{quote(self._number(timeline, revision.shipment))}/terms"
            yield Act(
                timeline.moment(revision.at),
                1,
                place,
                partial(self._ask, "PUT", path, body),
            )
        breaks = sorted(
            [timeline.moment(look.at) for look in looks]
            + [timeline.moment(one.told_at or one.at) for one in timeline.documents]
        )
        for at, events in _steps(said, breaks):
            place += 1
            yield Act(at, 2, place, partial(self._publish, timeline, events))
        for look in looks:
            place += 1
            yield Act(timeline.moment(look.at), 3, place, partial(self._look, timeline, look))

    def _ask(self, method: str, path: str, body: Any) -> None:
        self.api.ask(method, path, body)

    def _build(self) -> None:
        for code, park in self.places.parks.items():
            self.api.ask("PUT", f"/v1/parks/{code}", park)
        self.api.ask("POST", "/v1/zones", self.places.zones)
        self.api.ask("POST", "/v1/corridors", self.places.corridors)

    def _register(self, timeline: Timeline) -> None:
        for device in timeline.devices:
            name = self._device(timeline, device.name)
            park, code = name.split("/")
            if name not in self.secrets:
                body = {"park": park, "code": code, "kind": device.kind, "datum": device.datum}
                body["expected_every_s"] = device.expected_every_s  # type: ignore[assignment]
                self.secrets[name] = self.api.ask("POST", "/v1/devices", body)["secret"]
            if device.on:
                attachment: dict[str, Any] = {"device": name, "thing": device.on, "role": device.role}
                attachment["from"] = self._iso(timeline, device.begins) or timeline.begins.isoformat()
                attachment["to"] = self._iso(timeline, device.ends) or self._over(timeline)
                self.api.ask("POST", "/v1/attachments", attachment)

    def _open(self, timeline: Timeline) -> None:
        for shipment in timeline.shipments:
            self.api.ask("POST", "/v1/shipments", self._body(timeline, shipment))

    def _body(self, timeline: Timeline, shipment: Shipment) -> dict[str, Any]:
        return {
            "number": self._number(timeline, shipment.number),
            "park": shipment.park,
            "reference": shipment.reference,
            "things": timeline.things(shipment),
            "from": timeline.moment(shipment.begins).isoformat(),
            "terms": timeline.terms(shipment.terms),
        }

    def _post(self, timeline: Timeline, document: Document, events: Sequence[Said]) -> None:
        number = self._number(timeline, document.number)
        moment = timeline.moment(document.at)
        said: dict[str, Any] = {"time": moment.isoformat(), "source": document.source}
        if document.is_local:
            said = {"dclTime": f"{moment.astimezone(LOCAL):%Y-%m-%d %H:%M:%S}"}
        about = [self._number(timeline, one) for one in document.shipments]
        if document.kind == "pass":
            body = dict(document.body)
            self.api.ask("POST", "/v1/passes", said | {"number": number, "body": body, "shipments": about})
            return
        if document.kind == "pass_state":
            self.api.ask("POST", f"/v1/passes/{quote(number, safe='')}/states", said | dict(document.body))
            return
        said |= {
            "kind": document.kind,
            "number": number if document.number else "",
            "body": dict(document.body),
        }
        said |= {"things": list(document.things)}
        if document.kind == "plate_confirmed" and self._confirm_at_gate(timeline, document, events):
            return
        if document.device:
            name = self._device(timeline, document.device)
            path = f"/v1/devices/{name}/documents"
            if document.observed_at is not None:
                said["body"] |= {"run": RUN, "seq": self._observed(timeline, document, events).number}
        elif about:
            path, about = f"/v1/shipments/{quote(about[0])}/documents", about[1:]
        else:
            path = f"/v1/things/{quote(document.things[0], safe='')}/documents"
        self.api.ask("POST", path, said | {"shipments": about})

    def _observed(self, timeline: Timeline, document: Document, events: Sequence[Said]) -> Said:
        """The event that a document is about."""
        assert document.observed_at is not None
        name, at = self._device(timeline, document.device), timeline.moment(document.observed_at)
        said_then = (one for one in events if (one.device, one.time) == (name, at))
        return next(one for one in said_then if one.fact["type"] != "status")

    def _confirm_at_gate(self, timeline: Timeline, document: Document, events: Sequence[Said]) -> bool:
        """As an officer does it, at the gate's decision; False: nothing has been decided there yet."""
        event = self._observed(timeline, document, events)
        if event.sent > timeline.moment(document.at):
            return False
        path = f"/v1/gates/{event.fact['gate']}/decisions"

        def decided() -> Any:
            rows = self.api.ask("GET", path)["decisions"]
            return next((row for row in rows if (row["run"], row["seq"]) == (RUN, event.number)), None)

        decision = until(decided, SETTLED_S, f"a decision at {event.fact['gate']}")
        said = {**document.body, "by": "officer 17"}
        self.api.ask("POST", f"{path}/{decision['decision_id']}/confirm-plate", said)
        return True

    def _publish(self, timeline: Timeline, events: Sequence[Said]) -> None:
        awaited = list(self._awaited(timeline, events))
        begins = time.monotonic()
        self.published += self._voices.say(events)
        for alarm, listener in awaited:
            name = f"{timeline.variant} {alarm.shipment} {alarm.rule}"
            took = listener.wait(alarm.rule, begins, alarm.within_s)
            if took is None:
                self.compared.append(Compared([f"{name} heard within {alarm.within_s:g} s"], []))
            else:
                print(f"{name} heard after {took:.2f} s", file=sys.stderr)

    def _awaited(self, timeline: Timeline, events: Sequence[Said]) -> Iterator[tuple[Alarm, Listener]]:
        """Alarms that events must raise, and who listens for them."""
        if not self._as_it_came:
            return
        told = {(event.device, event.time) for event in events if event.fact["type"] in AT_ONCE}
        for alarm in timeline.alarms:
            said = (self._device(timeline, alarm.device), timeline.moment(alarm.at))
            if said in told and said not in self._alarmed:
                self._alarmed.add(said)
                number = self._number(timeline, alarm.shipment)
                yield alarm, Listener(self.stack.api, self.stack.key, number)

    def _named(self, timeline: Timeline, event: Said) -> Said:
        """Passes and devices that aren't gates belong to a variant, as its shipments do."""
        fact = dict(event.fact)
        if "pass" in fact:
            fact["pass"] = self._number(timeline, fact["pass"])
        return event._replace(device=self._device(timeline, event.device), fact=fact)

    def _device(self, timeline: Timeline, name: str) -> str:
        is_gate = any(one.kind == "gate" for one in timeline.devices if one.name == name)
        return name if is_gate else self._number(timeline, name)

    def _look(self, timeline: Timeline, look: Look) -> None:
        self._settle(timeline.moment(look.at))
        standing = {}
        for shipment in timeline.shipments:
            number = self._number(timeline, shipment.number)
            answer = self.api.ask("GET", f"/v1/shipments/{quote(number)}/custody")
            standing[shipment.number] = answer["findings"]
        expected = [one for one in look.expect if not one.only or timeline.variant in one.only]
        compared = compare(timeline, expected, standing)
        compared.missing.extend(self._undecided(timeline, look))
        compared.missing.extend(self._unchained(timeline, look))
        names = Names(partial(self._number, timeline), partial(self._device, timeline))
        compared.missing.extend(
            unanswered(self.api, timeline, look, names, standing, as_it_came=self._as_it_came)
        )
        if look is timeline.looks[-1]:
            for shipment, findings in standing.items():
                number = self._number(timeline, shipment)
                compared.missing.extend(unopened(self.api, number, findings, self._voices.said))
        self.compared.append(compared)

    def _unchained(self, timeline: Timeline, look: Look) -> Iterator[str]:
        """Shipments whose chain of custody isn't what it should be."""
        with connect(self.stack.dsn) as conn:
            for shipment, wanted in look.continuity.items():
                number = self._number(timeline, shipment)
                told = chain_of(conn, number, timeline.moment(look.at))
                if told != wanted:
                    yield f"{timeline.variant} {shipment} chain {wanted}: it is {told}"

    def _undecided(self, timeline: Timeline, look: Look) -> Iterator[str]:
        """Gates whose newest decision isn't what it should be."""
        for gate, wanted in look.gates.items():
            rows = self.api.ask("GET", f"/v1/gates/{gate}/decisions")["decisions"]
            told = rows[0]["decision"] if rows else "nothing"
            if told != wanted:
                yield f"{timeline.variant} {gate} decides {wanted}: it decided {told}"

    def _settle(self, moment: datetime) -> None:
        """Wait until everything up to a moment, and everything published so far, is recorded and judged."""
        assert self.stack.clock is not None
        published = datetime.fromtimestamp(SimulatedClock(self.stack.clock).now_us() / 1e6, UTC)
        moment = max(moment, published)
        with connect(self.stack.dsn) as conn:

            def is_settled() -> bool:
                through = positions.watermark(conn)
                return through is not None and through >= moment and work.unfinished(conn, through) == 0

            until(is_settled, SETTLED_S, f"everything up to {moment:%Y-%m-%d %H:%M} to be judged")

    def _set_clock(self, moment: datetime) -> None:
        path = self.stack.clock
        assert path is not None
        if not path.exists() or SimulatedClock(path).now_us() + NEAR_US < micros(moment):
            set_forward(path, micros(moment))

    @staticmethod
    def _number(timeline: Timeline, number: str) -> str:
        return number if timeline.variant == timeline.script.code else f"{number}-{timeline.variant}"

    @staticmethod
    def _iso(timeline: Timeline, text: str | None) -> str | None:
        return None if text is None else timeline.moment(text).isoformat()

    @staticmethod
    def _over(timeline: Timeline) -> str:
        last = timeline.moment(timeline.looks[-1].at)
        return (last + timedelta(hours=1)).isoformat()


def _at_the_end(timeline: Timeline, said: Sequence[Said], rng: random.Random) -> list[Said]:
    last = timeline.moment(timeline.looks[-1].at)
    found = [event._replace(sent=last) for event in said if event.time <= last]
    rng.shuffle(found)
    return found


def _steps(said: Sequence[Said], breaks: Sequence[datetime]) -> Iterator[tuple[datetime, list[Said]]]:
    """Events in lumps of at most ten minutes, none across a break; gates and seals at their own moment."""
    held: list[Said] = []
    for event in said:
        at_once = event.fact["type"] in AT_ONCE and event.sent == event.time
        if held and (
            event.sent >= held[0].sent + STEP
            or (at_once and event.sent != held[0].sent)
            or bisect_left(breaks, held[0].sent) != bisect_left(breaks, event.sent)
        ):
            yield held[-1].sent, held
            held = []
        held.append(event)
        if at_once:
            yield event.sent, held
            held = []
    if held:
        yield held[-1].sent, held
