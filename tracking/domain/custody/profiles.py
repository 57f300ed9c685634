"""Temperature profiles: what is usual for a kind of goods. What the terms say of a leg goes before.

Source: frozen GB 31605 and GB/T 22918 (unverified here); frozen meat at least -12 °C and deep-frozen -18 to
-20 °C with an allowed rise of 3 °C, IIR table; 2 to 8 °C and controlled room temperature with excursions of
15 to 30 °C, USP; one record in 5 minutes in transport and in 30 in storage, annex of the Chinese GSP. The
delays, the bands of chilled goods, sensor errors and hystereses are ours.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

ProfileName: TypeAlias = Literal[
    "frozen", "frozen_meat_min", "chilled", "chilled_meat", "fruit", "pharma_2_8", "pharma_crt", "other"
]


class Profile(Struct, frozen=True):
    """What holds for a kind of goods unless the terms say otherwise. Temperatures in degrees Celsius.

    Attributes:
        low: no colder than this; None: no limit, or one that differs by species.
        high: no warmer than this.
        tolerated_low: down to this an excursion is a minor one, however grave the kind of goods.
        tolerated_high: up to this likewise.
        delay_min: minutes that a value may be outside.
        hysteresis_c: a value is back when it is inside by this much.
        sensor_err_c: a value is out when it is beyond the limit by more than this.
        gap_transport_min: longest minutes between two values under way.
        gap_storage_min: and in storage.
        mean_kinetic_c: limit of the mean kinetic temperature.
        mean_kinetic_h: hours over which it is taken.
        is_medicine: every excursion is critical.
    """

    low: float | None = None
    high: float | None = None
    tolerated_low: float | None = None
    tolerated_high: float | None = None
    delay_min: float = 10
    hysteresis_c: float = 0.5
    sensor_err_c: float = 0.5
    gap_transport_min: float = 10
    gap_storage_min: float = 30
    mean_kinetic_c: float | None = None
    mean_kinetic_h: float = 24
    is_medicine: bool = False


PROFILES: Final[dict[str, Profile]] = {
    "frozen": Profile(high=-18, delay_min=30),
    "frozen_meat_min": Profile(high=-12, delay_min=30),
    "chilled": Profile(low=0, high=10),
    "chilled_meat": Profile(low=0, high=4),
    "fruit": Profile(),
    "pharma_2_8": Profile(
        low=2,
        high=8,
        delay_min=5,
        hysteresis_c=0.2,
        sensor_err_c=0.2,
        gap_transport_min=5,
        mean_kinetic_c=8,
        is_medicine=True,
    ),
    "pharma_crt": Profile(
        low=15,
        high=25,
        tolerated_low=15,
        tolerated_high=30,
        delay_min=5,
        hysteresis_c=0.2,
        sensor_err_c=0.2,
        gap_transport_min=5,
        mean_kinetic_c=25,
        mean_kinetic_h=720,
        is_medicine=True,
    ),
    "other": Profile(),
}
"""By name. ``fruit`` differs by species, so its band comes from the terms; ``other`` is none of these."""


def likely(low: float | None, high: float | None) -> ProfileName:
    """The profile of a range that names none. Medicine only where the range is exactly that of medicine."""
    if (low, high) == (2, 8):
        return "pharma_2_8"
    if low == 15 and high in {25, 30}:
        return "pharma_crt"
    if high is not None and high <= -5:
        return "frozen" if high <= -15 else "frozen_meat_min"
    if low is not None and high is not None and low >= -2 and high <= 10:
        return "chilled_meat" if high <= 4 else "chilled"
    return "other"


def range_of(
    low: float | None, high: float | None, profile: ProfileName | None
) -> tuple[float | None, float | None]:
    """The range that terms set: their own limits, else those of the profile that they name."""
    usual = PROFILES[profile] if profile is not None else PROFILES["other"]
    return (usual.low if low is None else low, usual.high if high is None else high)
