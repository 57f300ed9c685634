"""The JSON Schema of the terms, made from the types that decode them and from the rules' own parameters.

``python -m tracking.domain.custody.published > docs/schema/terms.json``; a test compares the file.
The schema describes, :mod:`.terms` and :mod:`.checks` decide.

Source: JSON Schema 2020-12.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import Any, Final, get_args

import msgspec
from msgspec.json import schema_components

from tracking.domain.custody.rules import RULES
from tracking.domain.custody.terms import Grade, Terms

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def document() -> dict[str, Any]:
    """The schema of one revision of terms."""
    _, parts = schema_components([Terms], ref_template="#/$defs/{name}")
    body = parts.pop("Terms")
    parts.pop("Override")
    body["properties"]["rules"] = {
        "type": "object",
        "properties": {code: {"$ref": f"#/$defs/{code}"} for code in RULES},
        "additionalProperties": False,
        "default": {},
    }
    for code, rule in RULES.items():
        limits = _parameters(type(rule.limits))
        parts[code] = {
            "title": f"{rule.number} {code}",
            "description": f"Severity {rule.severity} unless these terms say otherwise. See docs/rules.md.",
            "type": "object",
            "properties": {
                "severity": {"enum": list(get_args(Grade))},
                "parameters": {**limits, "additionalProperties": False},
            },
            "additionalProperties": False,
        }
    for part in (body, *parts.values(), *(parts[code]["properties"]["parameters"] for code in RULES)):
        if "description" in part:
            part["description"] = cleandoc(part["description"])
    return {"$schema": DIALECT, **body, "title": "Bondwatch terms of custody", "$defs": parts}


def _parameters(limits: type[msgspec.Struct]) -> dict[str, Any]:
    _, parts = schema_components([limits], ref_template="#/$defs/{name}")
    schema: dict[str, Any] = parts[limits.__name__]
    return schema


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(document()), indent=2).decode())
