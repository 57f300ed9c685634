"""Files in TOML, of one format each: those that come with the package by their names, others by their paths.

A file says exactly what its format knows. What it says besides is refused, with the field's name.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

Positive: TypeAlias = Annotated[float, Meta(gt=0)]

Told = TypeVar("Told", bound=Struct)


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """One table of a file. A field that is misspelt is a fault, not a default."""


class Shelf(NamedTuple, Generic[Told]):
    """Files of one format.

    Attributes:
        folder: where in the package they are.
        kind: what people call one of them.
        format: what one says.
        error: what is raised of a file that is none.
    """

    folder: str
    kind: str
    format: type[Told]
    error: type[ValueError]

    def names(self) -> list[str]:
        """Those that come with the package."""
        entries = files("simulators").joinpath(self.folder).iterdir()
        return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))

    def load(self, name: str) -> Told:
        """One by its name, or by the path of its file.

        Raises:
            ValueError: the shelf's ``error``: there is none, or the file says what the format doesn't know.
        """
        try:
            return msgspec.convert(tomllib.loads(self._text(name)), self.format)
        except (OSError, UnicodeDecodeError, msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
            raise self.error(f"{name}: {error}") from error

    def _text(self, name: str) -> str:
        known = self.names()
        if name in known:
            return files("simulators").joinpath(self.folder, f"{name}.toml").read_text(encoding="utf-8")
        if name.endswith(".toml") and Path(name).exists():
            return Path(name).read_text(encoding="utf-8")
        raise self.error(f"no {self.kind} {name!r}; there are: {', '.join(known)}, or give a .toml file")
