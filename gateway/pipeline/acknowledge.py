"""Step 6, acknowledge: tell the broker, only now that everything is committed."""

from __future__ import annotations

from gateway.pipeline.load import Load
from gateway.pipeline.tools import Tools


async def acknowledge(load: Load, tools: Tools) -> None:  # noqa: ARG001 - every step has these arguments
    """The broker may forget the batch. One that keeps no account of us does nothing here."""
    await load.batch.acknowledge()
