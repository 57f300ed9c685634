"""JSON Schema of the wire, made from the types that decode it.

``python -m devices.schema docs/schema`` writes one file a topic; a test compares the files with the types.
The schemas describe, the decoders decide: unknown fields are allowed everywhere.

Source: JSON Schema 2020-12.
"""

from __future__ import annotations

import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.json import schema_components

from devices.codecs.native import MAX_EVENTS, Envelope
from devices.messages import Alert, Command, GateDecision, KeptPasses, Presence, Receipt, Resend
from devices.observation import KINDS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

MESSAGES: Final[dict[str, tuple[type[msgspec.Struct], str]]] = {
    "receipt": (Receipt, "bw/v1/{park}/{device}/receipts"),
    "command": (Command, "bw/v1/{park}/{device}/commands"),
    "presence": (Presence, "bw/v1/{park}/{device}/presence"),
    "alert": (Alert, "bw/v1/{park}/alerts/{severity}"),
    "resend": (Resend, "the args of the command resend"),
    "decision": (GateDecision, "the args of the command decision, for gates"),
    "passes": (KeptPasses, "the args of the command passes, for gates"),
}
"""File -> the type it describes, and where such a message is met."""

_REFERENCE: Final = "#/$defs/{name}"


def documents() -> dict[str, dict[str, Any]]:
    """Every schema by its file name."""
    found = {"events.json": _events()}
    for file, (message, where) in MESSAGES.items():
        _, parts = schema_components([message], ref_template=_REFERENCE)
        body = parts.pop(message.__name__)
        found[f"{file}.json"] = _document(body, f"Bondwatch {file}, version 1: {where}", parts)
    return found


def _events() -> dict[str, Any]:
    _, parts = schema_components([Envelope, *KINDS], ref_template=_REFERENCE)
    envelope = parts.pop("Envelope")
    for fact, kind in KINDS.items():
        body = parts.pop(fact.__name__)
        parts[kind] = {
            "title": f"{kind} event",
            "description": body["description"],
            "type": "object",
            "properties": {
                "type": body["properties"].pop("type"),
                **envelope["properties"],
                **body["properties"],
            },
            "required": [*envelope["required"], *body["required"]],
        }
    parts["event"] = {
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in KINDS.values()],
        "anyOf": [{"required": ["seq"]}, {"required": ["id"]}],
    }
    event = {"$ref": "#/$defs/event"}
    body = {
        "oneOf": [event, {"type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": event}],
    }
    return _document(body, "Bondwatch events, version 1: bw/v1/{park}/{device}/events", parts)


def _document(body: dict[str, Any], title: str, parts: dict[str, Any]) -> dict[str, Any]:
    document = {"$schema": DIALECT, **body, "title": title}
    if parts:
        document["$defs"] = parts
    for part in (document, *parts.values()):
        if "description" in part:
            part["description"] = cleandoc(part["description"])
    return document


def render(document: dict[str, Any]) -> str:
    """The text of a schema file. ECMA's ``$`` needs no guard against a trailing newline, Python's does."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    return text.replace(r"(?!\\n)$", "$") + "\n"


def main(folder: str) -> None:
    """Write every schema into the folder."""
    for file, document in documents().items():
        (Path(folder) / file).write_text(render(document), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
