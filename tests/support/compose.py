"""Reads the YAML that our compose files are written in, and no more: block mappings and lists, flow lists,
quoted and plain scalars on one line, anchors, aliases, merges, comments. Anything else is an error.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

_KEY = re.compile(r"""^("[^"]+"|[^\s:#"\[{&*-][^\s:]*|<<):(?:\s+(.*))?$""")
_ANCHOR = re.compile(r"^&(\w+)(?:\s+(.*))?$")


class Line(NamedTuple):
    """A line that says something."""

    number: int
    indent: int
    text: str


def read(path: Path) -> dict[str, Any]:
    """The document, with aliases and merges carried out.

    Raises:
        ValueError: it uses YAML that this doesn't know; says where.
    """
    lines = [
        Line(number, len(raw) - len(raw.lstrip(" ")), _without_comment(raw.strip()))
        for number, raw in enumerate(path.read_text().splitlines(), 1)
    ]
    reader = _Reader([line for line in lines if line.text])
    found = reader.block(0)
    if reader.lines:
        raise ValueError(f"{path.name}:{reader.lines[0].number}: unexpected indentation")
    assert isinstance(found, dict)
    return found


class _Reader:
    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.anchors: dict[str, Any] = {}

    def block(self, indent: int) -> Any:
        if self.lines[0].text.startswith("- "):
            return self._list(indent)
        return self._mapping(indent)

    def _list(self, indent: int) -> list[Any]:
        found = []
        while self.lines and self.lines[0].indent == indent and self.lines[0].text.startswith("- "):
            found.append(_scalar(self.lines.pop(0).text[2:]))
        return found

    def _mapping(self, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while self.lines and self.lines[0].indent == indent:
            line = self.lines.pop(0)
            match = _KEY.match(line.text)
            if match is None:
                raise ValueError(f"line {line.number}: not understood: {line.text}")
            key, rest = match.group(1).strip('"'), match.group(2) or ""
            value = self._value(rest, line)
            if key == "<<":
                merged |= value
            elif key in found:
                raise ValueError(f"line {line.number}: {key} is there twice")
            else:
                found[key] = value
        return merged | found

    def _value(self, rest: str, line: Line) -> Any:
        anchor = _ANCHOR.match(rest)
        if anchor is not None:
            name, rest = anchor.group(1), anchor.group(2) or ""
            self.anchors[name] = self._value(rest, line)
            return self.anchors[name]
        if rest.startswith("*"):
            return self.anchors[rest[1:]]
        if rest:
            return _scalar(rest)
        deeper = bool(self.lines) and self.lines[0].indent > line.indent
        return self.block(self.lines[0].indent) if deeper else None


def _scalar(text: str) -> Any:
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return [part.strip() for part in text.strip("[]").split(",")]
    if text.startswith('"'):
        return json.loads(text)
    if text[0] in "{|>!'%@`&*" or _KEY.match(text):
        raise ValueError(f"not understood: {text}")
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdecimal() else text


def _without_comment(text: str) -> str:
    if text.startswith("#"):
        return ""
    outside = re.sub(r'"[^"]*"', lambda quoted: "x" * len(quoted.group()), text)
    at = outside.find(" #")
    return text if at < 0 else text[:at].rstrip()
