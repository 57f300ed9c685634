"""The device guide names everything that a device can say or hear, and its examples are true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from devices import schema
from devices.codecs import native
from devices.messages import (
    COMMANDS,
    REJECTION_REASONS,
    GateDecision,
    Refusal,
    Resend,
    decode_alert,
    decode_command,
    decode_presence,
    decode_receipt,
)
from devices.observation import KINDS, Action, Datum, Direction, Observation, Role, SealState
from devices.topics import CHANNELS, RESERVED_DEVICE, SEVERITIES

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "device-guide.md").read_text("utf-8")
SECTIONS = {
    part.split("\n", 1)[0].strip("# `"): part for part in re.split(r"^(?=#{2,3} )", GUIDE, flags=re.M)
}
EXAMPLES = {name: re.findall(r"^```json\n(.*?)\n```$", part, re.M | re.S) for name, part in SECTIONS.items()}


def names(struct: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(struct)}


def unnamed(words: set[str], section: str) -> set[str]:
    return {word for word in words if f"`{word}`" not in SECTIONS[section]}


@pytest.mark.parametrize(("fact", "kind"), KINDS.items(), ids=KINDS.values())
def test_every_type_has_a_section_with_every_field_and_a_true_example(
    fact: type[msgspec.Struct], kind: str
) -> None:
    assert not unnamed(names(fact), kind)
    assert EXAMPLES[kind], f"no example of {kind}"
    for example in EXAMPLES[kind]:
        (observation,) = native.decode(example.encode(), Datum.WGS84)
        assert isinstance(observation, Observation), observation
        assert type(observation.fact) is fact


def test_no_section_of_a_type_names_a_field_that_is_not_there() -> None:
    for fact, kind in KINDS.items():
        rows = re.findall(r"^\| (`[^|]*`) \|", SECTIONS[kind], re.M)
        told = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
        assert told == names(fact), kind


def test_the_envelope_is_told() -> None:
    assert not unnamed(names(native.Envelope) | {"type"}, "Every event")


@pytest.mark.parametrize(
    ("words", "section"),
    [
        (set(Action), "scan"),
        (set(SealState), "seal"),
        (set(Direction), "gate"),
        (set(Role), "handover"),
        (set(Datum), "position"),
        (set(COMMANDS), "Commands"),
        (set(SEVERITIES) | {RESERVED_DEVICE}, "Topics"),
        ({"run", "committed", "rejected", "ids"} | names(Refusal), "Receipts"),
        (names(Resend), "Commands"),
        (names(GateDecision) | {"zone", "as_of", "within_s", "fallback", "passes"}, "Commands"),
    ],
)
def test_every_word_of_the_wire_is_told(words: set[str], section: str) -> None:
    assert not unnamed(words, section)


def test_every_rejection_is_told_in_its_own_words_and_no_other() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", SECTIONS["Rejections"], re.M))
    assert told == REJECTION_REASONS


def test_every_topic_is_told() -> None:
    for channel in CHANNELS:
        assert f"`bw/v1/{{park}}/{{device}}/{channel}`" in SECTIONS["Topics"]


@pytest.mark.parametrize(
    ("section", "decode"),
    [
        ("Receipts", decode_receipt),
        ("Commands", decode_command),
        ("Presence", decode_presence),
        ("Alerts", decode_alert),
    ],
)
def test_the_examples_of_messages_are_true(section: str, decode: object) -> None:
    assert callable(decode)
    for example in EXAMPLES[section]:
        message = decode(example.encode())
        assert names(type(message)) >= set(json.loads(example)), "the example has a field that is not there"


def test_the_resend_example_has_the_arguments_of_a_resend() -> None:
    (example,) = EXAMPLES["Commands"]
    assert msgspec.convert(decode_command(example.encode()).args, Resend).missing == [(18, 18), (21, 40)]


def test_the_committed_schemas_are_those_of_the_types() -> None:
    made = {file: schema.render(document) for file, document in schema.documents().items()}
    kept = {path.name: path.read_text("utf-8") for path in (ROOT / "docs" / "schema").glob("*.json")}
    kept.pop("terms.json")  # no message of a device; its own test compares it
    assert made == kept, "run: python -m devices.schema docs/schema"
    for file in made:
        assert f"`{file.removesuffix('.json')}`" in SECTIONS["Topics"]


def test_the_schema_of_events_has_every_type_and_every_field() -> None:
    parts = schema.documents()["events.json"]["$defs"]
    for fact, kind in KINDS.items():
        assert set(parts[kind]["properties"]) == names(fact) | names(native.Envelope) | {"type"}
