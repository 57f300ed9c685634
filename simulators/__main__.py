"""``python -m simulators demo …`` is ``bondwatch simulate demo …``."""

from simulators.cli import app

app()
