"""The pure steps of the road on plain values: no database, no broker, no clock."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from devices.observation import Datum, Position
from gateway.pipeline import road
from gateway.pipeline.admit import admit
from gateway.pipeline.batch import Message
from gateway.pipeline.columns import columns, subject
from gateway.pipeline.decode import decode
from gateway.pipeline.fold import fold, in_order
from gateway.pipeline.limits import DAY, LIMITS, MINUTE, SECOND
from gateway.pipeline.load import Load, Replay, event_key, message_key
from gateway.pipeline.reference import Device, Reference
from gateway.pipeline.tools import Tools
from tests.support.recording import MemoryBatch
from tests.support.rows import NOON_US, position
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks import DeviceState, Profile, Track
from tracking.domain.tracks.state import Fix
from tracking.store.commands import ResultRow
from tracking.store.record import WorkRow

TOPIC = "bw/v1/SIP/TRK-1/events"
TRUCK = Device(1, "SIP/TRK-1", "native", Datum.WGS84, Profile(60))


def reference(*devices: Device) -> Reference:
    return Reference(1, {f"bw/v1/{device.name}/events": device for device in devices}, PlaceIndex([], 1))


def tools(known: Reference) -> Tools:
    return Tools("worker", None, known)  # type: ignore[arg-type] - the pure steps never touch it


def event(seq: int, at_us: int = 0, **fields: Any) -> bytes:
    said = {"run": 1, "seq": seq, "time": (NOON_US + at_us) // 1000, "type": "position", "lon": 120.7}
    return json.dumps(said | {"lat": 31.3} | fields).encode()


def load(*payloads: bytes, device: Device = TRUCK, received_us: int = 0, **given: Any) -> Load:
    known = reference(device)
    messages = [Message(TOPIC, payload, NOON_US + received_us) for payload in payloads]
    return Load(MemoryBatch(messages), messages, known, NOON_US, **given)


def through(one: Load, *steps: Any) -> Load:
    for step in steps:
        step(one, tools(one.reference))
    return one


def reasons(one: Load) -> dict[int | None, str]:
    return {row.seq: row.reason for row in one.rejections.values()}


def test_the_docstring_numbers_the_steps_that_there_are() -> None:
    numbered = re.findall(r"^(\d)\. (\w+) ", road.__doc__ or "", re.MULTILINE)

    assert [name for _, name in numbered] == [step.__name__ for step in road.STEPS]
    assert [int(number) for number, _ in numbered] == list(range(1, len(road.STEPS) + 1))


def test_each_step_is_the_one_verb_of_its_own_file() -> None:
    for step in road.STEPS:
        assert step.__module__ == f"gateway.pipeline.{step.__name__}"


# -- decode


def test_decode_keeps_the_order_and_says_which_message_each_event_came_in() -> None:
    one = through(load(event(1), b"[" + event(2) + b"," + event(3) + b"]", event(4)), decode)

    heard = one.heard[1]
    assert [observation.seq for observation in heard.events] == [1, 2, 3, 4]
    assert heard.origins == [0, 1, 1, 2]


def test_decode_takes_the_datum_from_the_registration() -> None:
    chinese = Device(1, "SIP/TRK-1", "native", Datum.GCJ02, Profile(60))

    one = through(load(event(1), device=chinese), decode)

    fact = one.heard[1].events[0].fact
    assert isinstance(fact, Position)
    assert abs(fact.lon - 120.7) > 0.001


def test_decode_leaves_strangers_to_admit() -> None:
    stranger = Device(1, "SIP/OTHER", "native", Datum.WGS84, Profile(60))

    one = through(load(event(1), device=stranger), decode)

    assert (one.unknown, one.heard, one.rejections) == ([0], {}, {})
    assert reasons(through(one, admit)) == {None: "unknown_device"}


@pytest.mark.parametrize(("leaf", "reason"), [("", {}), ("SIP", {}), ("TAC", {None: "topic_mismatch"})])
def test_a_parks_leaf_node_speaks_for_its_own_devices_only(leaf: str, reason: dict[None, str]) -> None:
    one = load(event(1))
    one.messages = [replace(message, leaf=leaf) for message in one.messages]

    assert reasons(through(one, decode, admit)) == reason
    assert len(one.heard) == (0 if reason else 1)


def test_decode_rejects_what_was_poison_and_nothing_else() -> None:
    one = through(load(event(1), event(2), poison={0: "ValueError: no"}), decode)

    assert [observation.seq for observation in one.heard[1].events] == [2]
    assert [(refused.seq, refused.reason) for refused in one.heard[1].refused] == [(1, "poison")]


# -- admit


@pytest.mark.parametrize(
    ("ahead_us", "reason"),
    [
        (0, None),
        (60 * SECOND, None),
        (5 * MINUTE, None),
        (5 * MINUTE + 1000, "future"),
        (-30 * DAY, None),
        (-400 * DAY, None),
        (-400 * DAY - 1000, "too_old"),
    ],
)
def test_admit_judges_times_against_the_brokers(ahead_us: int, reason: str | None) -> None:
    one = through(load(event(1, ahead_us)), decode, admit)

    assert reasons(one) == ({1: reason} if reason else {})
    assert len(one.heard[1].events) == (0 if reason else 1)


@pytest.mark.parametrize(
    ("ahead_us", "kind"),
    [
        (60 * SECOND, None),
        (60 * SECOND + 1000, "clock_skew"),
        (-15 * MINUTE, None),
        (-15 * MINUTE - 1000, "late_batch"),
    ],
)
def test_admit_notes_what_is_odd(ahead_us: int, kind: str | None) -> None:
    one = through(load(event(1, ahead_us), event(2)), decode, admit)

    assert [note.kind for note in one.notes] == ([kind] if kind else [])
    assert len(one.heard[1].events) == 2


def test_admit_counts_a_late_batch_once() -> None:
    late = [event(number, -20 * MINUTE + number * SECOND) for number in range(1, 6)]

    [note] = through(load(b"[" + b",".join(late) + b"]"), decode, admit).notes

    assert (note.kind, note.times, note.device_id) == ("late_batch", 5, 1)
    assert note.detail == {"most_s": 20 * 60 - 1.0}


def test_admit_trusts_the_time_of_a_replay_when_told_so() -> None:
    early = event(1, 10 * MINUTE)

    assert reasons(through(load(early, replay=Replay([7])), decode, admit)) == {1: "future"}
    assert reasons(through(load(early, replay=Replay([7], trust_time=True)), decode, admit)) == {}


def test_admit_lets_in_what_came_before_the_revocation() -> None:
    revoked = Device(1, "SIP/TRK-1", "native", Datum.WGS84, Profile(60), NOON_US + 10)

    assert reasons(through(load(event(1), device=revoked, received_us=9), decode, admit)) == {}
    assert reasons(through(load(event(1), device=revoked, received_us=10), decode, admit)) == {
        1: "revoked_device"
    }


# -- fold


def test_fold_leaves_what_lies_before_the_head_to_a_refold() -> None:
    one = through(load(event(3, 3 * SECOND), event(1, 1 * SECOND), event(2, 2 * SECOND)), decode, admit)
    one.heard[1].state = DeviceState(track=Track(heard=(NOON_US + 2 * SECOND, 1, 2)), due_armed=True)

    through(one, fold)

    assert one.heard[1].state.track.heard == (NOON_US + 3 * SECOND, 1, 3)
    assert [(row.kind, row.changed_from_us) for row in one.work] == [
        ("refold", NOON_US + SECOND),
        ("device", NOON_US + SECOND),
    ]
    assert one.late_events == 2


def test_fold_takes_a_backlog_of_a_new_device_in_order() -> None:
    one = through(load(event(2, 2 * SECOND), event(1, 1 * SECOND)), decode, admit)
    one.heard[1].state = DeviceState()

    through(one, fold)

    state = one.heard[1].state
    assert state.track.heard == (NOON_US + 2 * SECOND, 1, 2)
    assert isinstance(state.track.fix, Fix)
    assert [row.kind for row in one.work] == ["device_due"]
    assert one.work[0].due_us == NOON_US + 2 * SECOND + 5 * 60 * SECOND + 10 * SECOND
    assert one.late_events == 0


def test_fold_keeps_a_snapshot_when_it_is_time() -> None:
    one = through(load(event(1, SECOND), event(2, 2 * SECOND)), decode, admit)
    one.heard[1].state = DeviceState(since_snapshot=998, due_armed=True)

    through(one, fold)

    [snapshot] = one.snapshots
    assert (snapshot.time_us, snapshot.run, snapshot.seq) == (NOON_US + 2 * SECOND, 1, 2)
    assert Track.decode(snapshot.state) == one.heard[1].state.track
    assert one.heard[1].state.since_snapshot == 0


def test_events_of_one_moment_are_ordered_by_run_and_number() -> None:
    events = [position(2, NOON_US, run=2), position(9, NOON_US, run=1), position(1, NOON_US, run=2)]

    assert [(one.run, one.seq) for one in in_order(events)] == [(1, 9), (2, 1), (2, 2)]


# -- columns


def test_columns_hold_every_new_event_once_in_leaf_order() -> None:
    scan = b'{"seq":2,"time":%d,"type":"scan","code":"BNDU1000010","action":"receiving"}'
    one = through(load(event(1), scan % (NOON_US // 1000), b"{", event(3)), decode, admit)

    rows, readings, ids, moved, mentions, results, work = columns(one)

    assert rows.leaf == [0, 1, 2]
    assert rows.body == [event(1), scan % (NOON_US // 1000), event(3)]
    assert rows.lon == [120.7, None, 120.7]
    assert rows.thing[0] is None
    assert rows.thing[1] is not None
    lengths = {len(getattr(rows, name)) for name in type(rows).__slots__}
    assert lengths == {3}
    assert len(readings) == 0
    assert ids == []
    assert moved == []
    assert [(row.seq, row.thing and row.thing.label, row.is_move) for row in mentions] == [
        (2, "BNDU1000010", False)
    ]
    assert results == []
    assert work == [WorkRow("device", 1, NOON_US)]


def test_vehicles_at_gates_are_urgent_work_and_answers_to_commands_are_kept() -> None:
    at = NOON_US // 1000
    told = [
        f'{{"seq":2,"time":{at},"type":"gate","gate":"G-1","lane":"1","direction":"in"}}',
        f'{{"seq":3,"time":{at - 1000},"type":"gate","gate":"G-1","lane":"2","direction":"in"}}',
        f'{{"seq":4,"time":{at},"type":"result","command":"arrival/1/2","ok":true,"detail":"hold"}}',
    ]
    found = columns(through(load(*(event.encode() for event in told)), decode, admit))

    assert found.work == [WorkRow("gate", 1, NOON_US - SECOND, None, urgent=True)]
    assert found.results == [ResultRow(1, 0, 4, NOON_US, "arrival/1/2", True, "hold")]


def test_a_scan_into_something_is_a_containment_event_and_one_without_a_parent_is_not() -> None:
    told = [
        f'{{"seq":{seq},"time":{NOON_US // 1000},"type":"scan","code":"P-1","action":"{action}"{parent}}}'
        for seq, (action, parent) in enumerate(
            [("loading", ',"parent":"BNDU1000010","quantity":2'), ("loading", ""), ("unloading", "")]
        )
    ]
    moved = columns(through(load(*(event.encode() for event in told)), decode, admit)).moved

    assert [(row.action, row.parent and row.parent.label, row.quantity, row.seq) for row in moved] == [
        ("loading", "BNDU1000010", 2, 0),
        ("unloading", None, None, 2),
    ]


def test_a_position_names_no_thing_of_itself() -> None:
    assert subject(position(1, NOON_US).fact) is None


# -- keys


def test_a_rejection_is_the_same_when_topic_number_and_bytes_are() -> None:
    key = event_key(TOPIC, 1, 2, b"x")

    assert event_key(TOPIC, 1, 2, b"x") == key
    others = [
        event_key(TOPIC, 1, 2, b"y"),
        event_key(TOPIC, 1, 3, b"x"),
        event_key(TOPIC, 2, 2, b"x"),
        event_key(TOPIC + "s", 1, 2, b"x"),
        message_key(TOPIC, b"x"),
        message_key("t", b"opic"),
        message_key("top", b"ic"),
    ]
    assert len({key, *others}) == len(others) + 1


# -- the page


def test_the_page_tells_the_steps_and_the_limits_that_there_are() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "record.md").read_text()

    assert re.findall(r"^\| (\d) (\w+) \|", page, re.MULTILINE) == [
        (str(number), step.__name__) for number, step in enumerate(road.STEPS, start=1)
    ]
    for told in (
        f"up to {LIMITS.skew_us // SECOND} s ahead",
        f"up to {LIMITS.future_us // MINUTE} minutes ahead",
        f"more than {LIMITS.late_batch_us // MINUTE} minutes behind",
        f"more than {LIMITS.late_window_us // DAY} days behind",
        f"more than {LIMITS.floor_us // DAY} days behind",
        f"Fires {LIMITS.silence_grace_us // SECOND} s after",
        f"{LIMITS.snapshot_every:,} observations or more",
    ):
        assert told in page
