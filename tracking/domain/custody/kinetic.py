"""The mean kinetic temperature: the one temperature at which goods would have aged as much.

It is a report. An excursion stays one, however good the mean is.

Source: ICH Q1A and USP <1160>, with the usual activation energy of 83.144 kJ/mol; Haynes 1971.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import exp, log
from typing import Final

from tracking.domain.custody.facts import Sample

ACTIVATION_KJ: Final = 83.144
"""Activation energy, kJ/mol."""
GAS_KJ: Final = 8.3144e-3
"""Gas constant, kJ/(mol K)."""
_ZERO_C: Final = 273.15


def mean_kinetic(values: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """The mean kinetic temperature, degrees Celsius.

    Args:
        values: degrees Celsius, at least one.
        weights: for how long each of them held; None: all for equally long.
    """
    weights = weights if weights is not None else [1.0] * len(values)
    ratio = ACTIVATION_KJ / GAS_KJ
    # Relative to the warmest, so that no power of e is too small to count.
    warmest = max(values) + _ZERO_C
    aged = sum(
        weight * exp(ratio / warmest - ratio / (value + _ZERO_C))
        for value, weight in zip(values, weights, strict=True)
    )
    return ratio / (ratio / warmest - log(aged / sum(weights))) - _ZERO_C


def over(samples: Sequence[Sample], begins: datetime, ends: datetime, longest: timedelta) -> float | None:
    """The mean kinetic temperature of [begins, ends); None without a value in it.

    Each value stands for the time around it, up to half way to its neighbours, and never for more than
    ``longest``: how warm it was in a gap is not known.
    """
    kept = [sample for sample in samples if begins <= sample.time < ends]
    if not kept:
        return None
    half = longest / 2
    weights = []
    for place, sample in enumerate(kept):
        before = (sample.time - kept[place - 1].time) / 2 if place else sample.time - begins
        after = (kept[place + 1].time - sample.time) / 2 if place + 1 < len(kept) else ends - sample.time
        weights.append((min(before, half) + min(after, half)).total_seconds())
    if not any(weights):
        weights = [1.0] * len(kept)
    return mean_kinetic([sample.value for sample in kept], weights)
