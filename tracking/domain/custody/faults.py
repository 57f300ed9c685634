"""What is wrong in a document: every fault at once, each at its JSON Pointer (RFC 6901).

``msgspec`` stops at the first fault. A person who mends a file wants to see all of them, so the document is
walked along the same types that decode it; a test holds the two to the same opinion.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import msgspec
from msgspec import Struct

Level: TypeAlias = Literal["error", "warning"]

_WHERE: Final = re.compile(r" - at (?:`[^`]*`|the key .*)$", re.DOTALL)


class Fault(Struct, frozen=True):
    """One thing that is wrong, or that is probably not meant.

    Attributes:
        pointer: JSON Pointer to the field; ``""`` is the whole document.
        what: what is wrong there.
        meant: what was probably meant instead.
        level: a ``warning`` doesn't keep anybody from going on.
        about: what kind of name is wrong (``zone``, ``corridor``), where a list of the right ones exists.
    """

    pointer: str
    what: str
    meant: str | None = None
    level: Level = "error"
    about: str | None = None

    @property
    def detail(self) -> str:
        """What is wrong and what was meant, in one line."""
        return self.what + (f'; did you mean "{self.meant}"?' if self.meant is not None else "")


def step(pointer: str, name: str | int) -> str:
    """A pointer one step further down."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that comes closest, if any comes close."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return near[0] if near else None


def faults(value: Any, expected: Any, pointer: str = "") -> Iterator[Fault]:
    """Every fault of a decoded JSON value.

    Args:
        value: of ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None``.
        expected: a type as ``msgspec`` knows it: structs, tuples of any length, dictionaries, plain values.
        pointer: where in the document the value stands.
    """
    options = _options(expected)
    if value is None and type(None) in options:
        return
    bare, *others = [option for option in options if option is not type(None)]
    kind = _without_meta(bare)
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield from _object(value, [kind, *(_without_meta(other) for other in others)], pointer)
    elif get_origin(kind) is tuple and not others:
        yield from _list(value, bare, get_args(kind)[0], pointer)
    elif get_origin(kind) is dict and not others:
        key, item = get_args(kind)
        yield from _mapping(value, bare, key, item, pointer)
    else:
        yield from _plain(value, expected, pointer)


def _options(expected: Any) -> tuple[Any, ...]:
    union = get_origin(expected) in {Union, types.UnionType}
    return get_args(expected) if union else (expected,)


def _without_meta(expected: Any) -> Any:
    return get_args(expected)[0] if get_origin(expected) is Annotated else expected


def _with_meta_of(expected: Any, bare: Any) -> Any:
    """``bare`` with the constraints that ``expected`` is annotated with."""
    return Annotated[(bare, *get_args(expected)[1:])] if get_origin(expected) is Annotated else bare


def _plain(value: Any, expected: Any, pointer: str) -> Iterator[Fault]:
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        what = _WHERE.sub("", str(error))
        yield Fault(pointer, what[:1].lower() + what[1:])


def _list(value: Any, expected: Any, item: Any, pointer: str) -> Iterator[Fault]:
    wrong = list(_plain(value, _with_meta_of(expected, list[Any]), pointer))
    yield from wrong
    if isinstance(value, list):
        for at, one in enumerate(value):
            yield from faults(one, item, step(pointer, at))


def _mapping(value: Any, expected: Any, key: Any, item: Any, pointer: str) -> Iterator[Fault]:
    yield from _plain(value, _with_meta_of(expected, dict[str, Any]), pointer)
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _plain(name, key, step(pointer, name))
            yield from faults(one, item, step(pointer, name))


def _object(value: Any, kinds: list[type[Struct]], pointer: str) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield from _plain(value, dict[str, Any], pointer)
        return
    tags = {kind.__struct_config__.tag: kind for kind in kinds}
    tag_field = kinds[0].__struct_config__.tag_field
    kind = kinds[0]
    if tag_field is not None:
        tag = value.get(tag_field)
        one_of = " or ".join(f'"{name}"' for name in sorted(map(str, tags)))
        if tag_field not in value:
            yield Fault(step(pointer, tag_field), f"missing: {one_of}")
            return
        if not isinstance(tag, str) or tag not in tags:
            meant = nearest(tag, map(str, tags)) if isinstance(tag, str) else None
            yield Fault(step(pointer, tag_field), f"must be {one_of}", meant)
            return
        kind = tags[tag]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in value:
        if name not in fields and name != tag_field:
            missing = fields.keys() - value.keys()
            yield Fault(step(pointer, name), "no such field here", nearest(name, missing))
    for name, field in fields.items():
        if name in value:
            yield from faults(value[name], field.type, step(pointer, name))
        elif field.required:
            yield Fault(step(pointer, name), "missing")
