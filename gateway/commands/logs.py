"""``bondwatch logs``: what the processes wrote, in the order of time within each file."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.embedded.home import Home
from gateway.embedded.lines import readable
from gateway.problem import Problem
from gateway.settings import Settings

app = typer.Typer()

POLL_S = 0.3
Names = Annotated[list[str] | None, typer.Argument(help="Processes, e.g. gateway-1 judge; default: all.")]
Lines = Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines of each.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written, until Ctrl-C.")]


@app.command()
def logs(names: Names = None, lines: Lines = 20, follow: Follow = False) -> None:
    """Show what the processes of this data directory wrote; the files are in <home>/logs."""
    folder = Home(Settings.load().home).logs
    files = {path.stem: path for path in sorted(folder.glob("*.log"))}
    chosen = {name: path for name, path in files.items() if not names or name in names}
    unknown = set(names or ()) - set(files)
    if unknown or not chosen:
        there = f"there are: {', '.join(files)}" if files else "nothing has run there yet; see BONDWATCH_HOME"
        raise Problem(f"no logs of {', '.join(sorted(unknown)) or 'any process'} in {folder}", there)
    ends = {name: _show_last(name, path, lines) for name, path in chosen.items()}
    while follow:
        time.sleep(POLL_S)
        ends = {name: _show_new(name, path, ends[name]) for name, path in chosen.items()}


def _show_last(name: str, path: Path, lines: int) -> int:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 512 * max(lines, 1)))
        text = file.read(size - file.tell()).decode(errors="replace")
    _print(name, text.splitlines()[-lines:] if lines else [])
    return size


def _show_new(name: str, path: Path, begin: int) -> int:
    """Whole lines that came after ``begin``; from the start when the file was emptied meanwhile."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(begin if size >= begin else 0)
        text = file.read(1 << 20)
        whole = text[: text.rfind(b"\n") + 1]
        _print(name, whole.decode(errors="replace").splitlines())
        return file.tell() - len(text) + len(whole)


def _print(name: str, lines: list[str]) -> None:
    for line in lines:
        typer.echo(f"{name:<10} {readable(line)}")
