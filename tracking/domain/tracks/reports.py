"""Facts that are milestones as they are: what a seal, a gate or a party to a handover reports."""

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

SEAL_KINDS: Final[dict[SealState, str]] = {
    SealState.LOCKED: SEAL_LOCKED,
    SealState.UNLOCKED: SEAL_UNLOCKED,
    SealState.CUT: SEAL_CUT,
    SealState.TAMPERED: SEAL_TAMPERED,
}
"""A low battery is the device's own business and no milestone."""


def _of_seal(observation: Observation, seal: Seal, out: list[Milestone]) -> None:
    kind = SEAL_KINDS.get(seal.state)
    if kind is not None:
        out.append(_milestone(observation, kind, None, seal))


def _of_gate(observation: Observation, gate: Gate, out: list[Milestone]) -> None:
    out.append(_milestone(observation, PASSED_GATE, gate.gate, gate))


def _of_handover(observation: Observation, handover: Handover, out: list[Milestone]) -> None:
    out.append(_milestone(observation, HANDED_OVER, None, handover))


def _milestone(observation: Observation, kind: str, area: str | None, fact: Fact) -> Milestone:
    """The fact's own fields as they go over the wire, without those left out."""
    said: dict[str, Any] = msgspec.to_builtins(fact)
    detail = {name: value for name, value in said.items() if value not in (None, []) and name != "type"}
    return Milestone(
        observation.time_us, kind, area, {"key": list(observation.key), **detail}, observation.key
    )


REPORTS: Final[dict[type[Any], Callable[[Observation, Any, list[Milestone]], None]]] = {
    Seal: _of_seal,
    Gate: _of_gate,
    Handover: _of_handover,
}
