"""Templates: terms of the usual customs regimes, with places, times and limits to be filled in.

A template is data (``regimes/*.toml``). In its terms a text ``"{name}"`` stands for the value of the
parameter ``name``; a field whose parameter has no value is left out. The examples are of the parks that come
with the simulators, so that a template is valid as it stands and shows what is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from tracking.domain.custody.faults import nearest

Kind: TypeAlias = Literal["zones", "corridor", "moment", "party", "text", "seconds", "number"]

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_READ: Final[dict[Kind, Callable[[str], object]]] = {
    "zones": lambda text: [code.strip() for code in text.split(",")],
    "seconds": int,
    "number": float,
}
_ABSENT: Final = object()


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be filled in.

    Attributes:
        kind: ``zones`` are codes with commas between; ``moment`` is RFC 3339 with an offset.
        zh: what it means, in Chinese.
        en: what it means, in English.
        example: the value that stands for it until it is set; without one, it may stay away.
    """

    kind: Kind
    zh: str
    en: str
    example: str | None = None


class Template(Struct, frozen=True, forbid_unknown_fields=True):
    """Terms of one regime.

    Attributes:
        name: as the command line knows it.
        zh: the regime's name in Chinese.
        en: the regime's name in English.
        about: what it is for, and what these terms ask.
        source: which rules it follows.
        parameters: by name, in the order in which they are asked for.
        terms: with ``"{name}"`` where parameters go.
    """

    name: str
    zh: str
    en: str
    about: str
    source: str
    parameters: dict[str, Parameter]
    terms: dict[str, Any]


class TemplateError(ValueError):
    """A parameter that a template doesn't have, or a value that it can't take."""


def read(name: str, decoded: Mapping[str, Any]) -> Template:
    """A template from its decoded file.

    Raises:
        msgspec.ValidationError: it is none.
        TemplateError: its terms name a parameter that it doesn't have, or the reverse.
    """
    template = msgspec.convert({"name": name, **decoded}, Template)
    used = set(_PLACEHOLDER.findall(msgspec.json.encode(template.terms).decode()))
    if odd := used ^ template.parameters.keys():
        raise TemplateError(f"template {name}: {', '.join(sorted(odd))}: defined or used, but not both")
    return template


def fill(template: Template, values: Mapping[str, str]) -> dict[str, Any]:
    """The terms with values in them, as JSON; what is not given keeps its example or stays away.

    Raises:
        TemplateError: there is no such parameter, or the value is of another kind.
    """
    for name in values:
        if name not in template.parameters:
            meant = nearest(name, template.parameters)
            hint = f'; did you mean "{meant}"?' if meant else ""
            known = ", ".join(template.parameters)
            raise TemplateError(f'{template.name} has no parameter "{name}"{hint} It has {known}')
    filled = {name: _value(name, one, values.get(name)) for name, one in template.parameters.items()}
    terms: dict[str, Any] = _filled(template.terms, filled)
    return terms


def _value(name: str, parameter: Parameter, given: str | None) -> object:
    text = parameter.example if given is None else given
    if text is None:
        return _ABSENT
    try:
        return _READ.get(parameter.kind, str)(text)
    except ValueError:
        raise TemplateError(f'{name}: "{text}" is no {parameter.kind}') from None


def _filled(node: Any, values: Mapping[str, object]) -> Any:
    if isinstance(node, str) and (match := _PLACEHOLDER.fullmatch(node)) is not None:
        return values[match[1]]
    if isinstance(node, dict):
        parts = {name: _filled(part, values) for name, part in node.items()}
        return {name: part for name, part in parts.items() if part is not _ABSENT}
    if isinstance(node, list):
        return [_filled(part, values) for part in node]
    return node
