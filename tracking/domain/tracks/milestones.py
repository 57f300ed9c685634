"""A milestone: a change in a device's track worth telling, with the observations that it rests on."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

FOLD_VERSION: Final = 7
"""Stored with every milestone; raised whenever the same observations would fold to something else."""

ENTERED: Final = "entered"
LEFT: Final = "left"
STRAYED: Final = "strayed"
RETURNED: Final = "returned"
CROSSED: Final = "crossed"
STOPPED: Final = "stopped"
MOVED: Final = "moved"
JUMPED: Final = "jumped"
JUMP_SETTLED: Final = "jump_settled"
DATUM_SUSPECTED: Final = "datum_suspected"
DATUM_UNDETERMINED: Final = "datum_undetermined"
DATUM_CLEARED: Final = "datum_cleared"
SILENT: Final = "silent"
HEARD: Final = "heard"
SEAL_LOCKED: Final = "seal_locked"
SEAL_UNLOCKED: Final = "seal_unlocked"
SEAL_CUT: Final = "seal_cut"
SEAL_TAMPERED: Final = "seal_tampered"
PASSED_GATE: Final = "passed_gate"
HANDED_OVER: Final = "handed_over"
LEVEL_CROSSED: Final = "level_crossed"

KINDS: Final[dict[str, str]] = {
    ENTERED: "the device is in a zone; dated at the first of the fixes that confirm it",
    LEFT: "it is out of the zone; dated at the first fix outside",
    STRAYED: "it is off a corridor that it was in; dated at the first fix beyond the tolerance",
    RETURNED: "it is in a corridor, for the first time or again; dated at the first fix within",
    CROSSED: "between two fixes outside a zone the way led through it, `certain` or not; dated at the later",
    STOPPED: "it stands still; dated at the first fix of the stop",
    MOVED: "it moves on; dated at the first fix beyond the stop's radius",
    JUMPED: "a fix lies further off than the device can have come; dated at that fix, the first of a run",
    JUMP_SETTLED: "the run is over: `believed`, or the device is where it was; dated at the fix that ends it",
    DATUM_SUSPECTED: "it stands, but a fix lies where GCJ-02 or BD-09 would put it; the first of a run",
    DATUM_UNDETERMINED: "such fixes are enough in a row to have left a zone; dated at the first of them",
    DATUM_CLEARED: "the run is over: `believed`, or the device is where it stood; dated at the next fix",
    SILENT: "nothing was heard for its limit; dated at the very moment that the limit passed",
    HEARD: "it was heard again after silence",
    SEAL_LOCKED: "an e-seal says that it is locked",
    SEAL_UNLOCKED: "an e-seal says that it is unlocked",
    SEAL_CUT: "an e-seal says that it was cut",
    SEAL_TAMPERED: "an e-seal says that it was tampered with",
    PASSED_GATE: "a gate reports a vehicle in a lane",
    HANDED_OVER: "one side of a handover reports it",
    LEVEL_CROSSED: "a reading is on the other side of a level than the one before; or it is the first",
}


class Milestone(Struct, frozen=True):
    """What changed, when it happened, and at which observation it was known.

    Attributes:
        time_us: when it happened, event time.
        kind: one of ``KINDS``.
        area: code of the zone, corridor or gate it is about.
        detail: the evidence: keys of observations as [time_us, run, seq], distances in metres, facts as told.
        at: key of the observation at which the fold knew it; (time_us, -1, -1) for the passing of time.
    """

    time_us: int
    kind: str
    area: str | None
    detail: dict[str, Any]
    at: tuple[int, int, int]
