"""``docs/rules.md``, generated from the rules' own docstrings, so that the page can't say anything else.

python -m tracking.domain.custody.catalogue > docs/rules.md
"""

from __future__ import annotations

import inspect
import re
from typing import Final

import msgspec

from tracking.domain.custody.rules import FAMILIES, RULES, RULES_VERSION, Rule

_HEAD: Final = f"""# Rules

What Bondwatch judges of every shipment, and how. This page is generated from the rules' own docstrings
(`python -m tracking.domain.custody.catalogue`); a test fails when it is not current.
Version of the rules: {RULES_VERSION}. How facts become findings: [custody](custody.md).

"""
_SECTION: Final = re.compile(r"^(Args|Evidence|Source):[ \n]", re.MULTILINE)
_PARAMETER: Final = re.compile(r"^    (?P<name>\w+): (?P<text>.*(?:\n {8,}.*)*)", re.MULTILINE)


def render() -> str:
    """The page."""
    parts = [_HEAD]
    for letter, title in FAMILIES.items():
        rules = sorted((rule for rule in RULES.values() if rule.number[0] == letter), key=_place)
        if rules:
            parts.append(f"## {letter}. {title}\n\n")
            parts += [_page(rule) for rule in rules]
    return "".join(parts).rstrip("\n") + "\n"


def _place(rule: Rule) -> int:
    return int(rule.number[1:])


def _page(rule: Rule) -> str:
    sections = _sections(inspect.getdoc(rule.evaluate) or "")
    rows = [f"| `{name}` | `{value}` | {meaning} |" for name, value, meaning in _parameters(rule)]
    return "\n".join(
        [
            f"### {rule.number} `{rule.code}`",
            "",
            f"Severity: {rule.severity.value}.",
            "",
            sections["meaning"].replace("``", "`"),
            "",
            "| parameter | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
            f"**Evidence:** {_text(sections['Evidence'])}",
            "",
            f"**Source:** {_text(sections['Source'])}",
            "",
            "",
        ]
    )


def _sections(doc: str) -> dict[str, str]:
    parts = _SECTION.split(doc)
    found = {"meaning": parts[0].strip()} | dict(zip(parts[1::2], parts[2::2], strict=True))
    missing = {"Args", "Evidence", "Source"} - found.keys()
    if missing:
        raise ValueError(f"{doc.splitlines()[0]!r}: the docstring has no {', '.join(sorted(missing))}")
    return found


def _parameters(rule: Rule) -> list[tuple[str, object, str]]:
    docs = [inspect.getdoc(kind) or "" for kind in reversed(type(rule.limits).__mro__)]
    meanings = {match["name"]: _text(match["text"]) for doc in docs for match in _PARAMETER.finditer(doc)}
    defaults = msgspec.to_builtins(rule.limits)
    return [(name, _shown(value), meanings[name]) for name, value in defaults.items()]


def _shown(value: object) -> object:
    return ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else value


def _text(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").split())


if __name__ == "__main__":
    print(render(), end="")
