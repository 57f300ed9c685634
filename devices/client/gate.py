"""A gate: report a vehicle, wait for the decision, and without one follow the fallback and say so.

```python
keeper = GateKeeper("g-n1.passes")
with Device(…, name="SIP/G-N1", on_command=keeper.on_command) as device:
    answer = keeper.ask(device, Gate("G-N1", "1", Direction.IN, plate="苏E33D71"))
    barrier.open() if answer.decision == "open" else barrier.stay()
```

The gateway sends the approved passes of the gate's zone beforehand (the command ``passes``), with how long to
wait and what to do then. They are kept in a file, so that a gate that starts without network has them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from devices.client.device import Device
from devices.identifiers import normal_plate
from devices.messages import DECISION, PASSES, Command, Fallback, GateDecision, KeptPasses
from devices.observation import Gate, Result

SURE: Final = 0.9
"""Confidence from which a plate's reading counts at the fallback; a camera that states none is sure."""

MOST_USED: Final = 1000
"""Passes that the gate let through by itself and remembers, so that no later list brings them back."""


class Answer(Struct, frozen=True):
    """What the barrier does.

    Attributes:
        decision: ``open``, ``hold`` or ``inspect``.
        by_fallback: nobody answered in time.
        told: what was decided, with its reasons; None: nothing.
        pass_number: the pass that it goes by.
    """

    decision: Literal["open", "hold", "inspect"]
    by_fallback: bool
    told: GateDecision | None = None
    pass_number: str | None = None


class _Kept(Struct):
    """What is in the file."""

    latest: KeptPasses | None = None
    used: list[str] = []


class GateKeeper:
    """The decisions and kept passes of one gate. Any number of lanes may ask at the same time.

    Args:
        path: of the file with the kept passes.
        within_s: how long to wait, until the gateway has said otherwise.
        fallback: what to do then, until the gateway has said otherwise.
        on_later: called with a decision that nobody waits for any more: an officer has spoken. What it
            raises is told as ``ok: false``; without it such a decision is refused.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        within_s: float = 10.0,
        fallback: Fallback = "hold",
        on_later: Callable[[GateDecision], None] | None = None,
    ) -> None:
        self._path = Path(path)
        self._within_s, self._fallback, self._on_later = within_s, fallback, on_later
        self._kept = (
            msgspec.json.decode(self._path.read_bytes(), type=_Kept) if self._path.exists() else _Kept()
        )
        self._changed = threading.Condition()
        self._waiting: dict[tuple[int, int], GateDecision | None] = {}

    @property
    def passes_as_of(self) -> datetime | None:
        """Of the list of passes; None: there is none."""
        return None if self._kept.latest is None else self._kept.latest.as_of

    def ask(self, device: Device, gate: Gate, *, time_ms: int | None = None) -> Answer:
        """Report a vehicle and wait for what to do about it.

        Raises:
            Invalid: the report can't be true.
            OutboxFull: no room for the report.
            DeviceBroken: the device has stopped.
        """
        with self._changed:  # an answer that comes at once waits here until its question is known
            key = (device.run, device.report(gate, time=time_ms))
            self._waiting[key] = None
            end = time.monotonic() + self._limit_s()
            while self._waiting[key] is None and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            told = self._waiting.pop(key)
            if told is not None:
                return Answer(told.decision, by_fallback=False, told=told, pass_number=told.pass_number)
            answer = self._by_itself(gate)
        device.report(Result(f"arrival/{key[0]}/{key[1]}", ok=True, detail=answer.decision))
        return answer

    def on_command(self, command: Command) -> str | None:
        """Give this to the device as ``on_command``.

        Raises:
            ValueError: no command for a gate, or one that can't be read.
        """
        if command.command == PASSES:
            return self._keep(msgspec.convert(command.args, KeptPasses))
        if command.command != DECISION:
            raise ValueError(f"a gate knows no command {command.command!r}")
        told = msgspec.convert(command.args, GateDecision)
        key = (told.arrival.run, told.arrival.seq)
        with self._changed:
            if key in self._waiting:
                self._waiting[key] = told
                self._changed.notify_all()
                return told.decision
        if self._on_later is None:
            raise ValueError("nobody waits for this decision any more")
        self._on_later(told)
        return told.decision

    def _keep(self, passes: KeptPasses) -> str:
        with self._changed:
            if self._kept.latest is None or passes.as_of >= self._kept.latest.as_of:
                self._write(_Kept(passes, self._kept.used))
                return f"{len(passes.passes)} passes"
        return "an older list than the one at hand"

    def _limit_s(self) -> float:
        return self._within_s if self._kept.latest is None else self._kept.latest.within_s

    def _by_itself(self, gate: Gate) -> Answer:
        fallback = self._fallback if self._kept.latest is None else self._kept.latest.fallback
        if fallback != "passes":
            return Answer(fallback, by_fallback=True)
        number = self._pass_for(gate)
        if number is None:
            return Answer("hold", by_fallback=True)
        self._write(_Kept(self._kept.latest, [*self._kept.used, number][-MOST_USED:]))
        return Answer("open", by_fallback=True, pass_number=number)

    def _pass_for(self, gate: Gate) -> str | None:
        """The kept pass of a vehicle that was read beyond doubt, used by nobody."""
        plate = normal_plate(gate.plate or "")
        if plate is None or self._kept.latest is None:
            return None
        if gate.plate_confidence is not None and gate.plate_confidence < SURE:
            return None
        return next(
            (
                kept.number
                for kept in self._kept.latest.passes
                if normal_plate(kept.vehicle) == plate
                and kept.direction == gate.direction.value
                and gate.pass_number in (None, kept.number)
                and kept.number not in self._kept.used
            ),
            None,
        )

    def _write(self, kept: _Kept) -> None:
        """All or nothing, also when the power fails."""
        new = self._path.with_name(self._path.name + ".new")
        new.write_bytes(msgspec.json.encode(kept))
        new.replace(self._path)
        self._kept = kept
