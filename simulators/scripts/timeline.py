"""A script as moments: who publishes what when, and when it is sent. Pure, and the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeVar

from simulators.geo import Point
from simulators.places import Places
from simulators.scripts.actors import Device, Document, Revision, Shipment
from simulators.scripts.asking import Alarm
from simulators.scripts.format import Look, Script, ScriptError
from simulators.scripts.motion import between, position, ticks, way
from simulators.scripts.tellings import Drive, Fixes, Offline, Reading, Scans, Stay

T = TypeVar("T")

LOCAL: Final = timezone(timedelta(hours=8))


class Said(NamedTuple):
    """One event of a device.

    Attributes:
        time: its event time (UTC).
        sent: when the device has the network to send it.
        device: its name.
        number: its sequence number.
        fact: ``type`` and fields.
    """

    time: datetime
    sent: datetime
    device: str
    number: int
    fact: Mapping[str, Any]


class Timeline:
    """One variant of a script, on a day.

    Args:
        script: the story.
        variant: which of its variants; its code for the story itself.
        places: zones and corridors.
        later: days after the script's own day.
        online: everybody always has the network; what they say is the same.
    """

    def __init__(
        self, script: Script, variant: str, places: Places, later: int = 0, *, online: bool = False
    ) -> None:
        self.script = script
        self.variant = variant
        self._online = online
        self._places = places
        self._midnight = datetime.combine(script.day, datetime.min.time(), LOCAL) + timedelta(days=later)

    def moment(self, text: str) -> datetime:
        """A script's moment in UTC."""
        days, _, clock = text.rpartition(" ")
        hours, minutes, seconds = (*map(int, clock.split(":")), 0)[:3]
        after = timedelta(days=int(days or 0), hours=hours, minutes=minutes, seconds=seconds)
        return (self._midnight + after).astimezone(UTC)

    @property
    def name(self) -> str:
        """What differences are reported under."""
        return self.variant

    @property
    def suffix(self) -> str:
        """What numbers and names of devices get, so that variants don't meet; empty: nothing."""
        return "" if self.variant == self.script.code else self.variant

    @property
    def begins(self) -> datetime:
        """When the clock starts."""
        return self.moment(self.script.begins)

    @property
    def looks(self) -> list[Look]:
        """What is asked, in order of time."""
        return sorted(self._told(self.script.looks), key=lambda look: self.moment(look.at))

    @property
    def devices(self) -> list[Device]:
        """Who reports."""
        return self._told(self.script.devices)

    @property
    def shipments(self) -> list[Shipment]:
        """What is under custody."""
        return self._told(self.script.shipments)

    @property
    def documents(self) -> list[Document]:
        """What people say."""
        return self._told(self.script.documents)

    @property
    def revisions(self) -> list[Revision]:
        """New terms."""
        return self._told(self.script.revisions)

    @property
    def alarms(self) -> list[Alarm]:
        """How soon alerts must be heard."""
        return self._told(self.script.alarms)

    @property
    def is_ever_offline(self) -> bool:
        """Whether anybody has no network at some time."""
        return bool(self._told(self.script.offline))

    def terms(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Terms as the API takes them: moments of their legs in UTC."""
        legs = [
            {
                name: self.moment(value).isoformat() if name in {"not_before", "deadline"} else value
                for name, value in leg.items()
            }
            for leg in told["legs"]
        ]
        return {**told, "legs": legs}

    @staticmethod
    def things(shipment: Shipment) -> list[str]:
        """What a shipment consists of."""
        numbered = [
            series.codes.replace("{n}", f"{series.first + place:06d}")
            for series in shipment.series
            for place in range(series.count)
        ]
        return [*shipment.things, *numbered]

    def said(self) -> list[Said]:
        """Every event, in the order in which they are sent; a repeated one stands there again.

        Raises:
            ScriptError: somebody speaks who isn't among the devices.
        """
        facts: dict[str, list[tuple[datetime, Mapping[str, Any], datetime | None, int]]] = {}
        known = {device.name for device in self.devices}
        for device, time, fact, sent, again in self._facts():
            if device not in known:
                raise ScriptError(f"{self.script.code}: no device {device}")
            facts.setdefault(device, []).append((time, fact, sent, again))
        found: list[Said] = []
        for device, told in sorted(facts.items()):
            told.sort(key=lambda one: one[0])
            offline = [one for one in self._told(self.script.offline) if one.device == device]
            for number, (time, fact, again_at, again) in enumerate(told, 1):
                event = self._sent(Said(time, time, device, number, fact), offline)
                found.append(event)
                found += [event._replace(sent=again_at or event.sent)] * again
        return self._shuffled_backlogs(found)

    def _facts(self) -> Iterator[tuple[str, datetime, Mapping[str, Any], datetime | None, int]]:
        for device, time, fact in self._measured():
            yield device, time, fact, None, 0
        for event in self._told(self.script.events):
            yield event.device, self.moment(event.at), event.fact, None, event.again
        for scans in self._told(self.script.scans):
            yield from self._scans(scans)

    def _measured(self) -> Iterator[tuple[str, datetime, Mapping[str, Any]]]:
        """What devices say by themselves: where they are, what they measure, that they are well."""
        script = self.script
        for drive in self._told(script.drives):
            silent = [(self.moment(since), self.moment(until)) for since, until in drive.silent]
            yield from (
                (drive.device, time, fact)
                for time, fact in self._drive(drive)
                if not any(since < time < until for since, until in silent)
            )
        for stay in self._told(script.stays):
            yield from ((stay.device, *one) for one in self._stay(stay))
        for fixes in self._told(script.fixes):
            yield from ((fixes.device, *one) for one in self._fixes(fixes))
        for reading in self._told(script.readings):
            yield from ((reading.device, *one) for one in self._readings(reading))
        for device in self.devices:
            if device.heartbeat_s is not None:
                for time in ticks(self.begins, self.moment(self.looks[-1].at), device.heartbeat_s):
                    yield device.name, time, {"type": "status"}

    def _drive(self, drive: Drive) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
        rng = self._rng(drive.device, drive.begins)
        line = way(self._places, drive.corridor, backwards=drive.backwards)
        halts = sorted(
            (self.moment(halt.begins), self.moment(halt.ends), self._places.middle(halt.zone))
            for halt in drive.stops
        )
        begins, ends = self.moment(drive.begins), self.moment(drive.ends)
        stood = sum((until - since for since, until, _ in halts), timedelta())
        speed = line.length_m / (ends - begins - stood).total_seconds()
        # So that it is where it stops when it stops: each piece of the road has a speed of its own.
        corners = [(begins, 0.0)]
        for since, until, place in halts:
            along = line.nearest_m(place)
            corners += [(since, along), (until, along)]
        corners.append((ends, line.length_m))
        for (since, from_m), (until, to_m) in pairwise(corners):
            halt = next((place for stopped, _, place in halts if stopped == since), None)
            every = drive.parked_every_s if halt is not None else drive.every_s
            for time in ticks(since, until, every):
                share = (time - since) / (until - since)
                true = halt or line.point(from_m + (to_m - from_m) * share)
                moving = 0.0 if halt is not None else speed
                yield time, position(rng, true, drive.accuracy_m, moving)
        yield ends, position(rng, line.points[-1], drive.accuracy_m, 0.0)

    def _stay(self, stay: Stay) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
        if (stay.zone is None) == (stay.place is None):
            raise ScriptError(f"{self.script.code}: a stay of {stay.device} needs either a zone or a place")
        rng = self._rng(stay.device, stay.begins)
        true = self._places.middle(stay.zone) if stay.zone is not None else Point(*stay.place)  # type: ignore[misc]  # one of the two
        begins, ends = self.moment(stay.begins), self.moment(stay.ends)
        for time in [*ticks(begins, ends, stay.every_s), ends]:
            yield time, position(rng, true, stay.accuracy_m, 0.0)

    def _fixes(self, fixes: Fixes) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
        begins, place = self.moment(fixes.begins), Point(*fixes.place)
        for number, (east, north, accuracy) in enumerate(fixes.offsets_m):
            seen = place.moved(east, north)
            yield (
                begins + timedelta(seconds=number * fixes.every_s),
                {
                    "type": "position",
                    "lon": round(seen.lon, 7),
                    "lat": round(seen.lat, 7),
                    "accuracy_m": accuracy,
                    **({} if fixes.speed_mps is None else {"speed_mps": fixes.speed_mps}),
                },
            )

    def _readings(self, reading: Reading) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
        corners = [(self.moment(text), value) for text, value in reading.corners]
        silent = [(self.moment(since), self.moment(until)) for since, until in reading.silent]
        step = timedelta(seconds=reading.every_s)
        time = corners[0][0]
        while time <= corners[-1][0]:
            if not any(since < time < until for since, until in silent):
                yield time, {"type": "reading", "values": {reading.quantity: between(corners, time)}}
            time += step

    def _scans(self, scans: Scans) -> Iterator[tuple[str, datetime, Mapping[str, Any], datetime | None, int]]:
        begins, ends = self.moment(scans.begins), self.moment(scans.ends)
        again_at = self.moment(scans.again_at) if scans.again_at is not None else None
        for place in range(scans.count):
            share = place / max(scans.count - 1, 1)
            time = begins + (ends - begins) * share
            number = f"{scans.first + place:06d}"
            told = {"type": "scan", "code": scans.codes, **scans.fact}
            fact = {
                name: value.replace("{n}", number) if isinstance(value, str) else value
                for name, value in told.items()
            }
            is_repeated = place >= scans.count - scans.again
            device = scans.devices[place % len(scans.devices)]
            yield device, time, fact, again_at, int(is_repeated)

    def _sent(self, event: Said, offline: Sequence[Offline]) -> Said:
        """When it can be sent; and what a device whose clock is ahead calls its time."""
        for one in offline:
            begins, ends = self.moment(one.begins), self.moment(one.ends)
            if begins <= event.time < ends:
                time = event.time + timedelta(seconds=one.ahead_s)
                return event._replace(time=time, sent=event.time if self._online else ends)
        return event

    def _shuffled_backlogs(self, events: list[Said]) -> list[Said]:
        """In the order of sending; what comes from a backlog comes out of order, and some of it twice."""
        shares = {one.device: one.duplicated_pct / 100 for one in self._told(self.script.offline)}
        found: list[tuple[datetime, float, Said]] = []
        rng = self._rng("backlogs", self.script.begins)
        for event in events:
            is_late = event.sent > event.time + timedelta(minutes=10) and event.device in shares
            found.append((event.sent, rng.random() if is_late else 0.0, event))
            if is_late and rng.random() < shares[event.device]:
                found.append((event.sent, rng.random(), event))
        found.sort(key=lambda one: (one[0], one[1], one[2].time, one[2].device, one[2].number))
        return [event for _, _, event in found]

    def _told(self, items: Iterable[T]) -> list[T]:
        """What holds in this variant."""
        return [item for item in items if not (only := getattr(item, "only", ())) or self.variant in only]

    def _rng(self, *names: str) -> random.Random:
        return random.Random("/".join((self.script.code, *names)))


def variants(script: Script) -> tuple[str, ...]:
    """The stories that a script tells."""
    return script.variants or (script.code,)
