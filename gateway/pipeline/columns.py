"""A batch's new events as columns, in the order in which they are written: that order is the Merkle
tree's, too.

One loop, because it runs for every event of every batch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from devices.identifiers import parse_thing
from devices.observation import Gate, Handover, Position, Reading, Scan, Seal
from gateway.pipeline.load import Load
from tracking.store.kinds import FACT_NUMBERS
from tracking.store.observations import ObservationColumns, ReadingColumns

EventId = tuple[int, str, int, int]
"""Device, id, number, time in microseconds: what ``event_ids`` remembers."""

_THINGS_KNOWN: Final = 1 << 16


def columns(load: Load) -> tuple[ObservationColumns, ReadingColumns, list[EventId]]:
    """Observations, their sensor values, and the ids of those that have one."""
    rows, readings, ids = ObservationColumns(), ReadingColumns(), list[EventId]()
    received = [message.received_us for message in load.messages]
    times, runs, seqs, kinds, bodies = rows.time_us, rows.run, rows.seq, rows.kind, rows.body
    lons, lats, accuracies = rows.lon, rows.lat, rows.accuracy_m
    speeds, headings, things = rows.speed_mps, rows.heading_deg, rows.thing
    for device_id, heard in load.heard.items():
        events = heard.events
        rows.device_id += [device_id] * len(events)
        rows.received_us += [received[index] for index in heard.origins]
        for event in events:
            fact = event.fact
            times.append(event.time_us)
            runs.append(event.run)
            seqs.append(event.seq)
            bodies.append(event.raw)
            kinds.append(FACT_NUMBERS[type(fact)])
            if type(fact) is Position:
                lons.append(fact.lon)
                lats.append(fact.lat)
                accuracies.append(fact.accuracy_m)
                speeds.append(fact.speed_mps)
                headings.append(fact.heading_deg)
                things.append(None if fact.thing is None else thing_uri(fact.thing))
            else:
                lons.append(None)
                lats.append(None)
                accuracies.append(None)
                speeds.append(None)
                headings.append(None)
                things.append(subject(fact))
                if type(fact) is Reading:
                    readings.add(device_id, event)
            if event.id is not None:
                ids.append((device_id, event.id, event.seq, event.time_us))
    rows.leaf.extend(range(len(times)))
    return rows, readings, ids


def subject(fact: Any) -> str | None:
    """The thing that a fact itself names, as a URI; None where the attachment decides."""
    match fact:
        case Scan(code=text) | Reading(thing=str(text)) | Seal(thing=str(text)):
            return thing_uri(text)
        case Gate(plate=str(text)):
            return thing_uri(text)
        case Handover(thing=str(text)) | Handover(code=str(text)):
            return thing_uri(text)
    return None


@lru_cache(maxsize=_THINGS_KNOWN)
def thing_uri(text: str) -> str | None:
    """The URI of what a text names; None when it names nothing."""
    try:
        return parse_thing(text).uri
    except ValueError:
        return None
