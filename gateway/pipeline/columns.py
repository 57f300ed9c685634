"""A batch's new events as columns, in the order in which they are written: that order is the Merkle
tree's, too.

One loop, because it runs for every event of every batch.
"""

from __future__ import annotations

from devices.observation import Position, Reading, Scan
from gateway.pipeline.load import Load
from tracking.domain.things.subject import moved, subject, thing_uri
from tracking.store.kinds import FACT_NUMBERS
from tracking.store.observations import ObservationColumns, ReadingColumns
from tracking.store.things import EventRow

EventId = tuple[int, str, int, int]
"""Device, id, number, time in microseconds: what ``event_ids`` remembers."""


def columns(load: Load) -> tuple[ObservationColumns, ReadingColumns, list[EventId], list[EventRow]]:
    """Observations, their sensor values, the ids of those that have one, and what went into what or out."""
    rows, readings, ids = ObservationColumns(), ReadingColumns(), list[EventId]()
    contained: list[EventRow] = []
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
                elif type(fact) is Scan and (move := moved(fact)) is not None:
                    contained.append(
                        EventRow(
                            *move, fact.action.value, fact.quantity, event.time_us,
                            device_id, event.run, event.seq,
                        )
                    )  # fmt: skip
            if event.id is not None:
                ids.append((device_id, event.id, event.seq, event.time_us))
    rows.leaf.extend(range(len(times)))
    return rows, readings, ids, contained
