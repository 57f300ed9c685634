"""The rules, one file a family. A family is known to the judge by being imported here."""

from tracking.domain.custody.rules import device, place
from tracking.domain.custody.rules.registry import RULES, RULES_VERSION, Rule

FAMILIES = (place, device)

__all__ = ["FAMILIES", "RULES", "RULES_VERSION", "Rule"]
