"""Scripts as moments: who says what when, the same every time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from simulators.places import load as load_places
from simulators.scripts.format import Script, ScriptError, load, names
from simulators.scripts.timeline import Said, Timeline, variants

PLACES = load_places()


def story(variant: str = "X", **parts: Any) -> Timeline:
    told = {
        "code": "X", "title": "a story", "day": "2026-03-10", "begins": "08:00", "looks": [{"at": "12:00"}],
        "devices": [{"name": "SIP/D-1"}], **parts,
    }  # fmt: skip
    return Timeline(msgspec.convert(told, Script), variant, PLACES)


def seen(said: list[Said]) -> list[tuple[str, int]]:
    """When by the local clock, and the number."""
    return [(f"{one.sent + timedelta(hours=8):%H:%M:%S}", one.number) for one in said]


@pytest.mark.parametrize("name", names())
def test_every_script_reads_and_is_the_same_twice(name):
    script = load(name)
    for variant in variants(script):
        once, again = Timeline(script, variant, PLACES).said(), Timeline(script, variant, PLACES).said()
        assert once == again
        assert [one.sent for one in once] == sorted(one.sent for one in once)


def test_moments_are_local_and_count_days():
    line = story()
    assert line.moment("08:41") == datetime(2026, 3, 10, 0, 41, tzinfo=UTC)
    assert line.moment("+2 05:00:30") == datetime(2026, 3, 11, 21, 0, 30, tzinfo=UTC)
    assert line.moment("-1 14:20") == datetime(2026, 3, 9, 6, 20, tzinfo=UTC)


def test_a_drive_ends_where_it_goes_and_stands_where_it_stops():
    drive = {
        "device": "SIP/D-1", "corridor": "C-PVG-SIPE", "begins": "08:30", "ends": "11:00", "accuracy_m": 1,
        "stops": [{"zone": "SA-YCH", "begins": "10:30", "ends": "10:50"}],
    }  # fmt: skip
    said = story(drives=[drive]).said()
    stood = [one for one in said if "18:30" <= f"{one.time + timedelta(hours=16):%H:%M}" < "18:50"]
    assert len(stood) == 4  # every five minutes
    assert all(one.fact["speed_mps"] == 0 for one in stood)
    rest, gate = PLACES.middle("SA-YCH"), PLACES.middle("SIPCBZ-E")
    assert stood[0].fact["lon"] == pytest.approx(rest.lon, abs=1e-4)
    assert said[-1].fact["lat"] == pytest.approx(gate.lat, abs=1e-4)


def test_values_lie_on_lines_and_miss_while_silent():
    reading = {
        "device": "SIP/D-1", "quantity": "temperature_c", "corners": [["08:00", 4.0], ["08:04", 8.0]],
        "silent": [["08:01", "08:03"]],
    }  # fmt: skip
    values = [one.fact["values"]["temperature_c"] for one in story(readings=[reading]).said()]
    assert values == [4.0, 5.0, 7.0, 8.0]


def test_offline_devices_send_afterwards_and_some_twice():
    events = [
        {"at": f"{hour:02}:{minute:02}", "device": "SIP/D-1", "fact": {"type": "status"}}
        for hour in (8, 9)
        for minute in range(60)
    ]
    offline = {
        "device": "SIP/D-1", "begins": "08:30", "ends": "09:30", "duplicated_pct": 20, "ahead_s": 47,
    }  # fmt: skip
    said = story(events=events, offline=[offline]).said()
    late = [one for one in said if one.sent != one.time]
    assert {one.number for one in late} == set(range(31, 91))
    assert [one.number for one in late] != sorted(one.number for one in late)
    assert len(said) > 120
    assert late[0].time.second == 47


def test_what_is_said_again_keeps_its_number():
    event = {"at": "08:10", "device": "SIP/D-1", "fact": {"type": "status"}, "again": 2}
    assert seen(story(events=[event]).said()) == [("08:10:00", 1)] * 3


def test_variants_tell_only_what_is_theirs():
    events = [
        {"at": "08:10", "device": "SIP/D-1", "fact": {"type": "status"}, "only": ["Y"]},
        {"at": "08:20", "device": "SIP/D-1", "fact": {"type": "status"}},
    ]
    assert seen(story("X", variants=["X", "Y"], events=events).said()) == [("08:20:00", 1)]
    assert seen(story("Y", variants=["X", "Y"], events=events).said()) == [("08:10:00", 1), ("08:20:00", 2)]


def test_terms_may_name_moments_of_the_script():
    terms = story().terms({"legs": [{"type": "stay", "zones": ["COLD01"], "deadline": "14:41"}]})
    assert terms["legs"][0]["deadline"] == "2026-03-10T06:41:00+00:00"


def test_who_is_no_device_says_nothing():
    with pytest.raises(ScriptError, match="no device SIP/D-2"):
        story(events=[{"at": "08:10", "device": "SIP/D-2", "fact": {"type": "status"}}]).said()


def test_an_unknown_script_and_an_unknown_field_are_named(tmp_path):
    with pytest.raises(ScriptError, match="no script 's99'"):
        load("s99")
    file = tmp_path / "mine.toml"
    file.write_text('code = "X"\nbegin = "08:00"\n')
    with pytest.raises(ScriptError, match=r"mine\.toml"):
        load(str(file))


def test_what_is_offline_sends_everything_afterwards_and_online_at_its_time() -> None:
    script, places = load("s8b"), load_places()
    gate = "KS/G-KS-N1"
    told = [one for one in Timeline(script, "S8b", places).said() if one.device == gate]
    back = Timeline(script, "S8b", places).moment("15:00")
    stored = [one for one in told if one.sent == back and one.time != back]
    assert len({one.number for one in stored}) == 4180
    assert len(stored) == pytest.approx(4180 * 1.02, rel=0.01)
    assert [one.time for one in stored] != sorted(one.time for one in stored)
    online = [one for one in Timeline(script, "S8b", places, online=True).said() if one.device == gate]
    assert {(one.time, one.number) for one in online} == {(one.time, one.number) for one in told}
    assert len(online) == len({one.number for one in online})
    assert max(one.time - one.sent for one in online) == timedelta(seconds=47)
