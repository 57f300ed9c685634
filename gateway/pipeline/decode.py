"""Step 1, decode: bytes -> events, or rejections. Pure.

Whatever a codec does with a payload lies in that payload, so an exception that is no ``Unreadable`` is
kept as poison at once, without disturbing its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devices.codecs import CODECS, BadEvent, Codec, Unreadable
from devices.observation import Observation
from gateway.pipeline.load import Load
from gateway.pipeline.reference import Device
from gateway.pipeline.tools import Tools

POISON: Final = "poison"


def decode(load: Load, tools: Tools) -> None:  # noqa: ARG001 - every step has these arguments
    """Read each message by its device's dialect; leave to ``admit`` those of no registered device, and those
    that came through another park's leaf node."""
    devices = load.reference.devices
    for index, message in enumerate(load.messages):
        device = devices.get(message.topic)
        if device is None or (message.leaf and not device.name.startswith(f"{message.leaf}/")):
            load.unknown.append(index)
            continue
        outcomes = _read(load, index, device, CODECS)
        if index in load.poison:
            _refuse(load, index, device, outcomes)
            continue
        heard = load.heard_of(device)
        for outcome in outcomes:
            if type(outcome) is Observation:
                heard.events.append(outcome)
                heard.origins.append(index)
            else:
                _reject(load, index, device, outcome)


def _read(
    load: Load, index: int, device: Device, codecs: Mapping[str, Codec]
) -> list[Observation | BadEvent]:
    message = load.messages[index]
    try:
        return codecs[device.dialect](message.payload, device.datum)
    except Unreadable as unreadable:
        load.reject_message(index, unreadable.reason, unreadable.detail, device)
    except Exception as error:  # noqa: BLE001 - decided: what breaks the codec lies in the payload
        load.reject_message(index, POISON, f"{type(error).__name__}: {error}", device)
    return []


def _refuse(load: Load, index: int, device: Device, outcomes: list[Observation | BadEvent]) -> None:
    """Keep a message that broke an earlier attempt; each of its events counts as heard."""
    for outcome in outcomes:
        if type(outcome) is Observation:
            load.reject_observation(index, device, POISON, load.poison[index], outcome)
        else:
            _reject(load, index, device, outcome)


def _reject(load: Load, index: int, device: Device, bad: Observation | BadEvent) -> None:
    assert isinstance(bad, BadEvent)  # a codec answers nothing else
    load.reject_event(index, device, bad.reason, bad.detail, raw=bad.raw, run=bad.run, seq=bad.seq, id=bad.id)
