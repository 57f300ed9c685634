"""The topic grammar: what it takes, and everything that it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import topics
from devices.topics import CHANNELS, SEVERITIES, Topic, device_name, parse, split_name

codes = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
device_codes = codes.filter(lambda code: code != topics.RESERVED_DEVICE)


def test_a_device_topic_is_taken_apart() -> None:
    topic = parse("bw/v1/SIP/TRK-001/events")
    assert topic == Topic("SIP", "TRK-001", "events")
    assert topic.name == "SIP/TRK-001"


@given(codes, device_codes, st.sampled_from(sorted(CHANNELS)))
def test_every_topic_that_is_made_is_read_again(park: str, code: str, channel: str) -> None:
    name = device_name(park, code)
    make = {
        topics.EVENTS: topics.events_topic,
        topics.RECEIPTS: topics.receipts_topic,
        topics.COMMANDS: topics.commands_topic,
        topics.PRESENCE: topics.presence_topic,
    }[channel]
    assert parse(make(name)) == Topic(park, code, channel)
    assert split_name(name) == (park, code)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "bw/v1/SIP/TRK-001",
        "bw/v1/SIP/TRK-001/events/",
        "/bw/v1/SIP/TRK-001/events",
        "bw/v2/SIP/TRK-001/events",
        "BW/v1/SIP/TRK-001/events",
        "bw/v1/SIP/TRK-001/Events",
        "bw/v1/SIP/TRK-001/other",
        "bw/v1//TRK-001/events",
        "bw/v1/SIP//events",
        "bw/v1/SIP/+/events",
        "bw/v1/SIP/#/events",
        "bw/v1/SIP/TRK.001/events",
        "bw/v1/SIP/TRK 001/events",
        "bw/v1/SIP/TRK-001\n/events",
        "bw/v1/SIP/TRK-001/events\n",
        "bw/v1/SIP/ТRК/events",
        "bw/v1/SIP/" + "x" * 65 + "/events",
        "bw/v1/SIP/alerts/events",
        "bw/v1/SIP/alerts/critical",
    ],
)
def test_every_other_topic_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match=r"topic|code"):
        parse(topic)


@given(st.text(max_size=40) | st.text("bwv1/+#.aA0-_ ", max_size=40))
def test_any_text_is_a_topic_or_a_value_error(text: str) -> None:
    try:
        topic = parse(text)
    except ValueError:
        return
    assert text == f"bw/v1/{topic.park}/{topic.device}/{topic.channel}"


@pytest.mark.parametrize(
    "name", ["", "SIP", "SIP/", "/TRK", "SIP/TRK/1", "SIP/TRK 1", "SIP/alerts", "SIP/TRK\n"]
)
def test_a_name_is_park_and_device(name: str) -> None:
    for make in (topics.events_topic, topics.receipts_topic, topics.commands_topic, topics.presence_topic):
        with pytest.raises(ValueError):
            make(name)


def test_alert_topics_are_of_a_park_and_a_known_severity() -> None:
    assert [topics.alerts_topic("SIP", severity) for severity in SEVERITIES] == [
        "bw/v1/SIP/alerts/critical",
        "bw/v1/SIP/alerts/major",
        "bw/v1/SIP/alerts/minor",
        "bw/v1/SIP/alerts/info",
    ]
    with pytest.raises(ValueError, match="severity"):
        topics.alerts_topic("SIP", "events")
    with pytest.raises(ValueError, match="park"):
        topics.alerts_topic("+", "info")


@pytest.mark.parametrize(
    ("stated", "agrees"),
    [
        (None, True),
        ("TRK-001", True),
        ("SIP/TRK-001", True),
        ("TRK-002", False),
        ("WUX/TRK-001", False),
        ("", False),
    ],
)
def test_an_event_may_state_its_device_and_must_not_state_another(stated: str | None, agrees: bool) -> None:
    assert parse("bw/v1/SIP/TRK-001/events").agrees_with(stated) is agrees
