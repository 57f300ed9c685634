"""Least privilege: a device is itself and nobody else, on every broker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rights import SERVICES, mosquitto_acl, nats_permissions, rights, subject
from devices.topics import CHANNELS, RESERVED_DEVICE, SEVERITIES

codes = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True).filter(lambda code: code != RESERVED_DEVICE)


def matches(allowed: str, topic: str) -> bool:
    """Whether a filter with ``+`` covers a topic."""
    levels, wanted = allowed.split("/"), topic.split("/")
    return len(levels) == len(wanted) and all(
        one in ("+", other) for one, other in zip(levels, wanted, strict=True)
    )


def may(allowed: tuple[str, ...], topic: str) -> bool:
    return any(matches(one, topic) for one in allowed)


@given(codes, codes, codes, codes)
def test_a_device_is_itself_and_no_other(park: str, code: str, other_park: str, other_code: str) -> None:
    held = rights(f"{park}/{code}")
    for channel in CHANNELS:
        own = f"bw/v1/{park}/{code}/{channel}"
        assert may(held.publish, own) is (channel in ("events", "presence"))
        assert may(held.subscribe, own) is (channel in ("receipts", "commands"))
        if (other_park, other_code) != (park, code):
            foreign = f"bw/v1/{other_park}/{other_code}/{channel}"
            assert not may(held.publish + held.subscribe, foreign)
    assert not any("+" in topic or "#" in topic for topic in held.publish + held.subscribe)


@pytest.mark.parametrize("name", ["SIP", "SIP/+", "+/+", "SIP/#", "SIP/alerts", "SIP/a b", "SIP/a\nuser x"])
def test_no_name_smuggles_in_a_wildcard_or_a_line(name: str) -> None:
    with pytest.raises(ValueError):
        rights(name)


def test_services_do_their_step_of_the_road_and_no_other() -> None:
    gateway, judge = SERVICES["gateway"], SERVICES["judge"]
    assert may(gateway.subscribe, "bw/v1/SIP/TRK-001/events")
    assert may(gateway.publish, "bw/v1/SIP/TRK-001/receipts")
    assert not may(gateway.publish, "bw/v1/SIP/TRK-001/events"), "the recorder can't invent an event"
    assert not may(gateway.publish, "bw/v1/SIP/TRK-001/commands")
    assert may(judge.publish, "bw/v1/SIP/TRK-001/commands")
    assert all(may(judge.publish, f"bw/v1/SIP/alerts/{severity}") for severity in SEVERITIES)
    assert not may(judge.publish, "bw/v1/SIP/TRK-001/events")
    assert not may(judge.publish, "bw/v1/SIP/TRK-001/receipts")
    assert judge.subscribe == ()


def test_a_display_hears_its_park_and_says_nothing() -> None:
    held = rights("SIP/siren-1", "siren")
    assert held.publish == ()
    assert may(held.subscribe, "bw/v1/SIP/alerts/critical")
    assert not may(held.subscribe, "bw/v1/WUX/alerts/critical")
    assert not may(held.subscribe, "bw/v1/SIP/TRK-001/events")
    for name in ("gateway", "SIP", ""):
        with pytest.raises(ValueError, match=r"PARK/DEVICE|name"):
            rights(name, "siren")


def test_the_rights_in_the_words_of_nats() -> None:
    assert nats_permissions(rights("SIP/TRK-001")) == {
        "pub": {"allow": ["bw.v1.SIP.TRK-001.events", "bw.v1.SIP.TRK-001.presence"]},
        "sub": {"allow": ["bw.v1.SIP.TRK-001.receipts", "bw.v1.SIP.TRK-001.commands"]},
    }
    assert nats_permissions(SERVICES["gateway"])["sub"] == {
        "allow": ["bw.v1.*.*.events", "bw.v1.*.*.presence"]
    }
    assert nats_permissions(rights("SIP/siren-1", "display"))["pub"] == {"deny": [">"]}, (
        "nothing is not everything"
    )


@pytest.mark.parametrize("topic", ["a.b", "a/#", "a//b", "/a", "a/", "a b", "a/*", "a/>", ""])
def test_a_topic_outside_the_grammar_has_no_subject(topic: str) -> None:
    with pytest.raises(ValueError, match="grammar"):
        subject(topic)


def test_the_rights_in_the_words_of_mosquitto() -> None:
    assert mosquitto_acl([rights("SIP/TRK-001"), SERVICES["gateway"]]) == (
        "user SIP/TRK-001\n"
        "topic write bw/v1/SIP/TRK-001/events\n"
        "topic write bw/v1/SIP/TRK-001/presence\n"
        "topic read bw/v1/SIP/TRK-001/receipts\n"
        "topic read bw/v1/SIP/TRK-001/commands\n"
        "\n"
        "user gateway\n"
        "topic write bw/v1/+/+/receipts\n"
        "topic read bw/v1/+/+/events\n"
        "topic read bw/v1/+/+/presence\n"
    )
