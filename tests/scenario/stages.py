"""Installations to play on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from devices.observation import micros
from gateway.clock import set_forward
from tests.fault.stack import Stack
from tests.scenario.playing import Stage


@contextmanager
def stage(directory: Path, begins: datetime) -> Iterator[Stage]:
    """A new installation in a directory, whose clock shows this moment."""
    clock = directory / "clock"
    set_forward(clock, micros(begins))
    clock.chmod(0o644)
    stack = Stack(directory, clock=clock)
    try:
        stack.start()
        playing = Stage(stack, {})
        try:
            yield playing
        finally:
            playing.close()
    finally:
        stack.stop()
