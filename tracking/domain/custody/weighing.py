"""What a weighbridge says, beside what a pass declares. A measured 0 is no weight: not weighed.

Source: totalWt = vehicleWt + vehicleFrameWt + containerWt + totalGrossWt, as in the bonded-zone system's own
messages; the tolerances are ours, parks commonly use 3 to 5 %.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from tracking.domain.custody.documents import GatePass, PassType


class WeightLimits(Struct, frozen=True):
    """Parameters of ``gate_weight_mismatch``.

    Attributes:
        tol_pct: how far the measured weight may lie from the declared one, in per cent of it.
        tol_kg_min: kilograms that are tolerated in any case.
    """

    tol_pct: Annotated[float, Meta(ge=0, le=100)] = 3.0
    tol_kg_min: Annotated[float, Meta(ge=0)] = 200.0


class EmptyLimits(Struct, frozen=True):
    """Parameters of ``empty_truck_not_empty``.

    Attributes:
        tol_kg: kilograms that a vehicle may weigh above its own weight and still be empty.
    """

    tol_kg: Annotated[float, Meta(ge=0)] = 300.0


def weighed(kilograms: float | None) -> float | None:
    """The measured weight; None where there is none."""
    return kilograms or None


def declared_kg(paper: GatePass) -> float | None:
    """What everything on the weighbridge should weigh; None where the pass doesn't say."""
    return paper.total_kg or _sum(paper) or None


def own_kg(paper: GatePass) -> float | None:
    """What vehicle and trailer weigh empty; None where the pass doesn't say."""
    if not paper.vehicle_kg:
        return paper.total_kg if paper.type is PassType.EMPTY_VEHICLE else None
    return paper.vehicle_kg + (paper.frame_kg or 0.0)


def is_off(measured_kg: float, expected_kg: float, limits: WeightLimits) -> bool:
    """Whether the difference is beyond both tolerances; just at one it isn't."""
    return abs(measured_kg - expected_kg) > max(limits.tol_pct * expected_kg / 100, limits.tol_kg_min)


def is_loaded(measured_kg: float, empty_kg: float, limits: EmptyLimits) -> bool:
    """Whether a vehicle weighs more than it can empty."""
    return measured_kg > empty_kg + limits.tol_kg


def _sum(paper: GatePass) -> float:
    """Of the parts; zero, which is no weight, unless vehicle and goods are both there."""
    if not paper.vehicle_kg or not paper.gross_kg:
        return 0.0
    return paper.vehicle_kg + (paper.frame_kg or 0.0) + (paper.container_kg or 0.0) + paper.gross_kg
