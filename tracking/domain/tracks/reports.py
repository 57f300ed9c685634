"""Facts that are milestones by themselves: what a seal, a gate or a party to a handover reports.

A seal that says again what it said last is no news; every gate passage and handover is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from devices.observation import Fact, Gate, Handover, Observation, Seal, SealState
from tracking.domain.tracks.milestones import (
    HANDED_OVER,
    PASSED_GATE,
    SEAL_CUT,
    SEAL_LOCKED,
    SEAL_TAMPERED,
    SEAL_UNLOCKED,
    Milestone,
)
from tracking.domain.tracks.state import SealSaid, Track

SEAL_KINDS: Final[dict[SealState, str]] = {
    SealState.LOCKED: SEAL_LOCKED,
    SealState.UNLOCKED: SEAL_UNLOCKED,
    SealState.CUT: SEAL_CUT,
    SealState.TAMPERED: SEAL_TAMPERED,
}
"""A low battery is the device's own business and no milestone."""


SEALS_REMEMBERED: Final = 8
"""Of so many seals a track remembers what was said last: a device's own, or those that a reader meets."""


def _of_seal(track: Track, observation: Observation, seal: Seal, out: list[Milestone]) -> None:
    kind = SEAL_KINDS.get(seal.state)
    if kind is None:
        return
    said: SealSaid = (seal.seal, str(seal.state), seal.order)
    if said not in track.seals:
        out.append(_milestone(observation, kind, None, seal))
    others = tuple(other for other in track.seals if other[0] != seal.seal)
    track.seals = (*others, said)[-SEALS_REMEMBERED:]


def _of_gate(_: Track, observation: Observation, gate: Gate, out: list[Milestone]) -> None:
    out.append(_milestone(observation, PASSED_GATE, gate.gate, gate))


def _of_handover(_: Track, observation: Observation, handover: Handover, out: list[Milestone]) -> None:
    out.append(_milestone(observation, HANDED_OVER, None, handover))


def _milestone(observation: Observation, kind: str, area: str | None, fact: Fact) -> Milestone:
    """The fact's own fields as they go over the wire, without those left out."""
    said: dict[str, Any] = msgspec.to_builtins(fact)
    detail = {name: value for name, value in said.items() if value not in (None, []) and name != "type"}
    return Milestone(
        observation.time_us, kind, area, {"key": list(observation.key), **detail}, observation.key
    )


REPORTS: Final[dict[type[Any], Callable[[Track, Observation, Any, list[Milestone]], None]]] = {
    Seal: _of_seal,
    Gate: _of_gate,
    Handover: _of_handover,
}
