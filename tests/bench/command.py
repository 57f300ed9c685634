"""A command whose last line is its figures, as JSON; it ends its own installation when it is told to end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

ENDING_S: Final = 90


class Failed(Exception):
    """A benchmark measured nothing; the message says why."""


def last_line(
    command: Sequence[str], environment: Mapping[str, str], deadline_s: float | None = None
) -> dict[str, Any]:
    """Run it to its end; its progress goes to our standard error.

    Args:
        command: its command line.
        environment: its whole environment.
        deadline_s: how long it may take.

    Raises:
        Failed: it took longer, or its last line is no figures.
    """
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        said, _ = process.communicate(timeout=deadline_s)
    except BaseException as error:
        process.terminate()  # not kill: it has an installation to remove
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_S)
        process.kill()
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"{' '.join(command)} was not done within {deadline_s:g} s") from None
        raise
    try:
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError):
        output = said[-2000:].strip() or "nothing"
        raise Failed(f"{' '.join(command)} ended with code {process.returncode} and said {output}") from None
    return found
