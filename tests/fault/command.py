"""What the commands of runs with kills share: their options, and the directory of a run."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def parser(name: str, doc: str | None, *, events: int, kills: int) -> argparse.ArgumentParser:
    """The options of every run.

    Args:
        name: ``fault`` for ``make fault``.
        doc: the command's docstring, whose first line is its description.
        events: unless said otherwise.
        kills: unless said otherwise.
    """
    made = argparse.ArgumentParser(prog=f"make {name}", description=doc.splitlines()[0] if doc else "")
    made.add_argument("--events", type=int, default=events, help="events in all")
    made.add_argument("--kills", type=int, default=kills, help="processes to kill with -9")
    made.add_argument("--seed", type=int, default=7, help="of the choice of victims and moments")
    made.add_argument("--json", action="store_true", help="the last line is one JSON object")
    made.add_argument("--keep", action="store_true", help="leave the directory of the run")
    return made


@contextmanager
def directory(name: str, *, keep: bool) -> Iterator[Path]:
    """A directory of this run's own, removed afterwards unless it is to be kept."""
    made = Path(tempfile.mkdtemp(prefix=f"bondwatch-{name}-"))
    made.chmod(0o711)  # the database may run as another user
    try:
        yield made
    finally:
        if keep:
            say(f"kept {made}")
        else:
            shutil.rmtree(made, ignore_errors=True)


def say(text: str) -> None:
    """Tell whoever watches the run."""
    print(text, file=sys.stderr, flush=True)
