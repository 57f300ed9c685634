"""What devices say when: dead for a while, without a network, with a wrong clock, twice, or rubbish."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from simulators.reality.windows import Window

Fact = Mapping[str, Any]


class Utterance(NamedTuple):
    """One event of a device.

    Attributes:
        sent: when it goes out, seconds of the world.
        time: its event time by the device's clock.
        device: its name.
        number: counts what the device says, in order of time.
        fact: ``type`` and fields.
    """

    sent: float
    time: float
    device: str
    number: int
    fact: Fact


class Radio(NamedTuple):
    """What stands between a device and the broker.

    Attributes:
        offline: when it has no network.
        skew_s: how far its clock is ahead.
        doubled: the share of what it says that goes out twice.
        rubbish: the share that is followed by something that nobody can take.
    """

    offline: Sequence[Window] = ()
    skew_s: float = 0.0
    doubled: float = 0.0
    rubbish: float = 0.0


def speak(
    device: str, facts: Iterable[tuple[float, Fact]], radio: Radio, rng: random.Random
) -> Iterator[Utterance]:
    """Everything that a device sends.

    Args:
        device: its name.
        facts: what it notices, with true moments, in order.
        radio: of this device.
        rng: of this device.
    """
    number = 0
    for time, fact in facts:
        told = [(time, fact)]
        if rng.random() < radio.rubbish:
            told.append((time + 0.5, {"type": "position", "lon": 0.0, "lat": 91.0 + rng.random()}))
        for at, one in told:
            number += 1
            back = next((ends for begins, ends in radio.offline if begins <= at < ends), None)
            sent = at if back is None else back + rng.uniform(1, 20)
            utterance = Utterance(sent, at + radio.skew_s, device, number, one)
            yield utterance
            if rng.random() < radio.doubled:
                yield utterance._replace(sent=sent + rng.uniform(2, 90))


def kept_since(utterances: Sequence[Utterance], ends: float) -> dict[str, float]:
    """By device, the time of the first thing that hadn't gone out by the end; none: everything had.

    Args:
        utterances: of all devices.
        ends: seconds of the world.
    """
    told = {(one.device, one.number) for one in utterances if one.sent <= ends}
    kept = [one for one in utterances if (one.device, one.number) not in told]
    return {one.device: one.time for one in sorted(kept, key=lambda one: -one.time)}
