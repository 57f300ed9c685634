"""The rules, in families. Every module of this package is imported, and so known to the judge."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from tracking.domain.custody.rules.registry import RULES, RULES_VERSION, Rule

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

FAMILIES: Final = {
    "A": "Geofence and route",
    "B": "Gate and pass",
    "C": "Seal and integrity",
    "D": "Declaration and time limits",
    "E": "Warehouse, stock and parcels",
    "F": "Cold chain",
    "G": "Devices and the quality of data",
    "H": "Continuity",
}
"""Titles, by the letter of the rules' numbers."""

__all__ = ["FAMILIES", "RULES", "RULES_VERSION", "Rule"]
