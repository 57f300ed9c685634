"""Which values of readings matter to custody: the built-in levels, and those that terms add.

A rule that reads samples is asked again only when one crosses a level, when time makes a difference, or when
something else happens to the shipment. So every value at which such a rule changes its mind must be here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from devices.observation import BATTERY
from tracking.domain.custody.excursions import Band
from tracking.domain.custody.held import HUMIDITY, TEMPERATURE, profile_name
from tracking.domain.custody.profiles import PROFILES
from tracking.domain.custody.rules import RULES
from tracking.domain.custody.rules.cold_excursion import ExcursionLimits, band_of
from tracking.domain.custody.rules.cold_humidity import HumidityLimits, humidity_band
from tracking.domain.custody.rules.seal_battery import BatteryLimits
from tracking.domain.custody.sensors import DEFROST, DOOR, POWER
from tracking.domain.custody.terms import Limit, Terms
from tracking.domain.tracks.levels import ALWAYS_US, Level

LIGHT: Final = "light_lux"

SIMPLE: Final[Mapping[tuple[str, str], str]] = {
    ("unauthorised_stop", "lux"): LIGHT,
    ("door_or_light_while_sealed", "lux"): LIGHT,
    ("swap_suspected", "lux"): LIGHT,
    ("swap_suspected", "shock_g"): "shock_g",
}
"""Rules' parameters that are a level themselves, by rule and parameter, with the quantity."""

OF_CHARGE: Final = frozenset({("seal_battery_low", "pct"), ("seal_battery_low", "hysteresis_pct")})
"""Parameters that make the two levels of a charge: where it is low, and where it is so no longer."""


OF_TERMS_ALONE: Final = frozenset({"temp_excursion", "humidity_excursion"})
"""Rules whose every parameter makes levels."""


def makes_levels(code: str, parameter: str) -> bool:
    """Whether a rule's parameter decides which readings matter, so that only terms may set it."""
    return code in OF_TERMS_ALONE or (code, parameter) in SIMPLE or (code, parameter) in OF_CHARGE


def of_terms(terms: Terms, since_us: int) -> set[Level]:
    """The levels that terms need beside the built-in ones.

    Args:
        terms: one revision.
        since_us: from when on it holds.
    """
    found = {(quantity, round(value, 6)) for quantity, value in _values(terms)}
    return {Level(quantity, value, since_us) for quantity, value in found - _BUILT_IN}


def _values(terms: Terms) -> Iterator[tuple[str, float]]:
    overrides = {code: override.parameters for code, override in terms.rules.items()}
    excursion = _limits(ExcursionLimits(), overrides.get("temp_excursion", {}))
    humidity = _limits(HumidityLimits(), overrides.get("humidity_excursion", {}))
    yield from _of_band(HUMIDITY, humidity_band(None, humidity))
    yield from _of_charge(_limits(BatteryLimits(), overrides.get("seal_battery_low", {})))
    for leg in terms.legs:
        for quantity, limit in leg.limits.items():
            if quantity == TEMPERATURE:
                yield from _of_temperature(limit, excursion)
            elif quantity == HUMIDITY:
                yield from _of_band(HUMIDITY, humidity_band(limit, humidity))
            else:
                yield from ((quantity, value) for value in (limit.low, limit.high) if value is not None)
    for (code, parameter), quantity in SIMPLE.items():
        value = overrides.get(code, {}).get(parameter)
        if isinstance(value, int | float):
            yield quantity, float(value)


def _of_temperature(limit: Limit, limits: ExcursionLimits) -> Iterator[tuple[str, float]]:
    band, profile = band_of(limit, limits), PROFILES[profile_name(limit)]
    yield from _of_band(TEMPERATURE, band)
    if profile.is_medicine:
        tolerated = (profile.tolerated_low, profile.tolerated_high)
        yield from ((TEMPERATURE, value) for value in tolerated if value is not None)
    else:
        if band.low is not None:
            yield TEMPERATURE, band.low - limits.major_c
        if band.high is not None:
            yield TEMPERATURE, band.high + limits.major_c


def _of_band(quantity: str, band: Band) -> Iterator[tuple[str, float]]:
    """Where a value is out, and where it is back."""
    if band.low is not None:
        yield quantity, band.low - band.error
        yield quantity, band.low + band.hysteresis
    if band.high is not None:
        yield quantity, band.high + band.error
        yield quantity, band.high - band.hysteresis


def _of_charge(limits: BatteryLimits) -> Iterator[tuple[str, float]]:
    yield BATTERY, limits.pct
    yield BATTERY, limits.pct + limits.hysteresis_pct


def _limits(defaults: Any, parameters: Mapping[str, Any]) -> Any:
    """A rule's parameters as terms set them."""
    changed = msgspec.structs.asdict(defaults) | dict(parameters)
    return msgspec.convert(changed, type(defaults))


def _built_in() -> Iterator[tuple[str, float]]:
    yield from ((flag, 0.5) for flag in (DOOR, DEFROST, *POWER))
    for (code, parameter), quantity in SIMPLE.items():
        yield quantity, getattr(RULES[code].limits, parameter)
    yield from _of_band(HUMIDITY, humidity_band(None, HumidityLimits()))
    yield from _of_charge(BatteryLimits())
    for name in PROFILES:
        yield from _of_temperature(msgspec.convert({"profile": name}, Limit), ExcursionLimits())


_BUILT_IN: Final = {(quantity, round(value, 6)) for quantity, value in _built_in()}

BUILT_IN: Final = tuple(sorted(Level(quantity, value, ALWAYS_US) for quantity, value in _BUILT_IN))
"""Levels that always matter: flags, light, charge, humidity, and the usual bands of every profile."""
