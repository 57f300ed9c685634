"""The templates of terms that come with the package, read from its files once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from tracking.domain.custody.templates import Template, read


@cache
def templates() -> Mapping[str, Template]:
    """All of them by name, in order of name."""
    files = resources.files("tracking.domain.custody").joinpath("regimes").iterdir()
    found = {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text("utf-8"))
        for file in files
        if file.name.endswith(".toml")
    }
    return {name: read(name, found[name]) for name in sorted(found)}
