"""A batch's new events as columns, in the order in which they are written: that order is the Merkle
tree's, too.

One loop, because it runs for every event of every batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from devices.observation import (
    Fact,
    Gate,
    Handover,
    Observation,
    Position,
    Reading,
    Result,
    Scan,
    Seal,
    Status,
)  # fmt: skip
from gateway.pipeline.load import Load
from tracking.domain.things.subject import moved, named, subject, thing_uri
from tracking.store.commands import ResultRow
from tracking.store.kinds import FACT_NUMBERS
from tracking.store.observations import ObservationColumns, ReadingColumns
from tracking.store.record import WorkRow
from tracking.store.things import EventRow
from tracking.store.told import MentionRow

EventId = tuple[int, str, int, int]
"""Device, id, number, time in microseconds: what ``event_ids`` remembers."""

NAMING: Final[frozenset[type[Fact]]] = frozenset({Gate, Handover, Scan, Seal})
"""Facts that name things which their device is not itself on."""


class Columns(NamedTuple):
    """What is written of a batch's events.

    Attributes:
        ids: of the events that have one.
        moved: what went into what or out.
        mentions: what is named by whom.
        results: what devices did about commands.
        work: whoever a device is on hears what it says, though its track has no news; and vehicles wait at
            gates.
    """

    observations: ObservationColumns
    readings: ReadingColumns
    ids: list[EventId]
    moved: list[EventRow]
    mentions: list[MentionRow]
    results: list[ResultRow]
    work: list[WorkRow]


def columns(load: Load) -> Columns:
    """The batch's new events."""
    rows, readings, ids = ObservationColumns(), ReadingColumns(), list[EventId]()
    whole = Columns(rows, readings, ids, [], [], [], [])
    received = [message.received_us for message in load.messages]
    times, runs, seqs, kinds, bodies = rows.time_us, rows.run, rows.seq, rows.kind, rows.body
    lons, lats, accuracies = rows.lon, rows.lat, rows.accuracy_m
    speeds, headings, things = rows.speed_mps, rows.heading_deg, rows.thing
    for device_id, heard in load.heard.items():
        events = heard.events
        said: list[Observation] = []
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
                if type(fact) is Reading or type(fact) is Status:
                    readings.add(device_id, event)
                elif type(fact) in NAMING:
                    said.append(event)
                elif type(fact) is Result:
                    whole.results.append(
                        ResultRow(
                            device_id, event.run, event.seq, event.time_us, fact.command, fact.ok, fact.detail
                        )
                    )
            if event.id is not None:
                ids.append((device_id, event.id, event.seq, event.time_us))
        if said:
            _add_said(whole, device_id, said)
    rows.leaf.extend(range(len(times)))
    return whole


def _add_said(whole: Columns, device_id: int, said: Sequence[Observation]) -> None:
    for event in said:
        whole.mentions.extend(_mentions(device_id, event))
        whole.moved.extend(_moves(device_id, event))
    times = [event.time_us for event in said if type(event.fact) is not Gate]  # no gate is on anything
    if times:
        whole.work.append(WorkRow("device", device_id, min(times)))
    arrivals = [event.time_us for event in said if type(event.fact) is Gate]
    if arrivals:
        whole.work.append(WorkRow("gate", device_id, min(arrivals), None, urgent=True))


def _mentions(device_id: int, event: Observation) -> list[MentionRow]:
    """A row for each thing that is named; one without any where nothing is."""
    key = (device_id, event.run, event.seq, event.time_us, FACT_NUMBERS[type(event.fact)])
    move = moved(event.fact)
    return [
        MentionRow(*key, one.thing, one.is_parent, move is not None and not one.is_parent)
        for one in named(event.fact)
    ] or [MentionRow(*key, None)]


def _moves(device_id: int, event: Observation) -> list[EventRow]:
    fact = event.fact
    if type(fact) is not Scan or (move := moved(fact)) is None:
        return []
    key = (event.time_us, device_id, event.run, event.seq)
    return [EventRow(*move, fact.action.value, fact.quantity, *key)]
