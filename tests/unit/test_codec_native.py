"""The native codec against its golden vectors, and against anything at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.codecs import CODECS, BadEvent, Unreadable
from devices.codecs.native import MAX_PAYLOAD_BYTES, decode, number_of_id
from devices.messages import REJECTION_REASONS
from devices.observation import KINDS, Datum, Fact, Observation, Position

VECTORS = Path(__file__).parents[1] / "vectors" / "native"
VALID = sorted((VECTORS / "valid").glob("*.json"))
INVALID = sorted((VECTORS / "invalid").glob("*.json"))
CLOSE_DEG = 1e-6  # 0.1 m


def payload_of(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["payload_hex"]) if "payload_hex" in vector else vector["payload"].encode()


def as_observation(expected: dict[str, Any]) -> Observation:
    fact = msgspec.convert(expected["fact"], Fact)
    return Observation(**{**expected, "fact": fact, "raw": expected["raw"].encode()})


def same_place(one: Position, other: Position) -> bool:
    apart = max(abs(one.lon - other.lon), abs(one.lat - other.lat))
    return apart < CLOSE_DEG and msgspec.structs.replace(one, lon=other.lon, lat=other.lat) == other


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_payload_gives_exactly_these_observations(path: Path) -> None:
    vector = json.loads(path.read_text("utf-8"))
    found = decode(payload_of(vector), Datum(vector["datum"]))
    expected = [as_observation(one) for one in vector["expect"]]
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected, strict=True):
        assert isinstance(got, Observation), got
        if isinstance(wanted.fact, Position):
            assert isinstance(got.fact, Position)
            assert same_place(got.fact, wanted.fact)
        else:
            assert got.fact == wanted.fact
        assert msgspec.structs.replace(got, fact=wanted.fact) == wanted


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_payload_is_refused_for_this_reason(path: Path) -> None:
    vector = json.loads(path.read_text("utf-8"))
    if "unreadable" in vector:
        with pytest.raises(Unreadable) as caught:
            decode(payload_of(vector), Datum.WGS84)
        assert caught.value.reason == vector["unreadable"]
        assert caught.value.detail
        return
    found = decode(payload_of(vector), Datum.WGS84)
    assert len(found) == len(vector["expect"])
    for got, wanted in zip(found, vector["expect"], strict=True):
        assert got.raw == wanted["raw"].encode()
        assert (got.run, got.seq, got.id) == (wanted["run"], wanted["seq"], wanted.get("id"))
        if wanted.get("taken"):
            assert isinstance(got, Observation)
        else:
            assert isinstance(got, BadEvent)
            assert got.reason == wanted["reason"]
            assert got.detail


def test_every_type_has_a_valid_vector() -> None:
    seen = {one["fact"]["type"] for path in VALID for one in json.loads(path.read_text("utf-8"))["expect"]}
    assert seen == set(KINDS.values())


def test_every_codec_is_in_the_registry_by_its_dialect() -> None:
    assert CODECS["native"] is decode


def test_a_payload_of_a_mebibyte_is_read_and_one_byte_more_is_not() -> None:
    event = b'{"seq":1,"time":0,"type":"status"}'
    assert len(decode(event.ljust(MAX_PAYLOAD_BYTES), Datum.WGS84)) == 1
    with pytest.raises(Unreadable, match="too_large"):
        decode(event.ljust(MAX_PAYLOAD_BYTES + 1), Datum.WGS84)


def test_a_thousand_events_are_read_and_each_keeps_its_bytes() -> None:
    events = [b'{"seq":%d,"time":0,"type":"status"}' % seq for seq in range(1000)]
    assert [one.raw for one in decode(b"[" + b",".join(events) + b"]", Datum.WGS84)] == events


def test_an_id_has_a_fixed_63_bit_number() -> None:
    assert number_of_id("evt-0001") == 294_906_793_289_145_896
    assert 0 <= number_of_id("") < 2**63


def test_a_long_detail_is_cut() -> None:
    (bad,) = decode(b'{"seq":1,"time":0,"type":"' + b"x" * 5000 + b'"}', Datum.WGS84)
    assert isinstance(bad, BadEvent)
    assert len(bad.detail) <= 200


# Any bytes -------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
)
times = st.sampled_from(["2026-03-02T00:00:00Z", "2026-03-02T00:00:00", 1_772_409_600_250, -1, None])
nearly_events = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*KINDS.values(), "no"]),
        "time": times | scalars,
        "run": st.integers(-1, 2**31) | scalars,
        "seq": st.integers(-1, 2**63) | scalars,
        "id": scalars,
        "device": scalars,
        "lon": st.floats(-181, 181) | scalars,
        "lat": st.floats(-91, 91) | scalars,
        "datum": st.sampled_from(["wgs84", "gcj02", "bd09"]) | scalars,
        "values": anything,
        "code": scalars,
        "action": st.sampled_from(["loading", "x"]) | scalars,
        "seal": scalars,
        "state": st.sampled_from(["cut", "x"]) | scalars,
        "containers": anything,
        "x": anything,
    },
)
dumped = st.builds(
    lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"),
    nearly_events | st.lists(nearly_events | anything, max_size=6) | anything,
    st.booleans(),
)


def accounted(payload: bytes, datum: Datum) -> list[Observation | BadEvent] | None:
    try:
        found = decode(payload, datum)
    except Unreadable:
        return None
    for one in found:
        assert one.raw in payload
        if isinstance(one, BadEvent):
            assert one.reason in REJECTION_REASONS
            assert "\0" not in one.detail
            assert (one.run is None) is (one.seq is None)
        else:
            assert -1 <= one.run < 2**31
            assert 0 <= one.seq < 2**63
            assert 0 <= one.time_us < 253_402_300_800_000_000
    return found


@given(st.binary() | dumped, st.sampled_from(Datum))
@example(b'[{"a":"\\ud800"}]', Datum.WGS84)
@example(b"[" * 100_000, Datum.WGS84)
@example(b"[" + b"[" * 900 + b"]" * 900 + b"]", Datum.WGS84)
@example(b'{"type":"position","seq":1,"time":0,"lon":180,"lat":90,"datum":"bd09"}', Datum.WGS84)
def test_any_bytes_are_read_or_refused_and_nothing_else(payload: bytes, datum: Datum) -> None:
    accounted(payload, datum)


@given(st.lists(nearly_events, min_size=1, max_size=8), st.sampled_from(Datum))
def test_every_event_of_an_array_is_accounted_for_once_and_reads_the_same_alone(
    events: list[dict[str, Any]], datum: Datum
) -> None:
    parts = [json.dumps(event, allow_nan=False).encode() for event in events if not has_nan(event)]
    found = accounted(b"[" + b",\n".join(parts) + b"]", datum) if parts else None
    if found is None:
        return
    assert [one.raw for one in found] == parts
    for one, part in zip(found, parts, strict=True):
        assert decode(part, datum) == [one]


@given(st.binary(max_size=3), st.data())
def test_a_damaged_payload_never_surprises(noise: bytes, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(VALID))
    payload = payload_of(json.loads(path.read_text("utf-8")))
    at = data.draw(st.integers(0, len(payload)))
    until = data.draw(st.integers(at, len(payload)))
    accounted(payload[:at] + noise + payload[until:], Datum.GCJ02)


def has_nan(value: Any) -> bool:
    return any(word in json.dumps(value) for word in ("NaN", "Infinity"))
