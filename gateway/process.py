"""How every process of ours begins: settings, logs, metrics, in this order.

running = process.begin("judge")
connection = connect(addresses.database_dsn(running.settings))
running.metrics.ready()        # `bondwatch up` waits for this
"""

import gc
import os
import sys
from dataclasses import dataclass
from typing import Final

from gateway import logging
from gateway.metrics import MetricsServer
from gateway.problem import Problem
from gateway.settings import Settings

# Given by the supervisor, so that workers of one kind are told apart: gateway-1, gateway-2.
NAME_VARIABLE: Final = "BONDWATCH_PROCESS"

COLLECT_EVERY: Final = 50_000
"""New objects that outlive others, until the youngest of them are looked at. Ours: measured."""


SWITCH_S: Final = 0.0005
"""How long a thread that computes keeps one waiting that has its answer from the database: tenfold less than
Python's own. A transaction of a dozen statements waits as often. Ours: measured.
"""


@dataclass(frozen=True)
class Running:
    """What a process has once it has begun."""

    name: str
    settings: Settings
    metrics: MetricsServer


def begin(kind: str) -> Running:
    """Load the settings, set the logs up, serve the metrics.

    Args:
        kind: ``gateway``, ``judge`` or ``api``; the name when the supervisor gave none.

    Raises:
        Problem: a setting can't be taken, or the metrics port is in use.
    """
    settings = Settings.load()
    name = os.environ.get(NAME_VARIABLE) or kind
    logging.configure(settings, name)
    try:
        metrics = MetricsServer(settings.metrics_port)
    except OSError as error:
        raise Problem(
            f"the metrics port {settings.metrics_port} can't be used: {error.strerror}",
            "set BONDWATCH_METRICS_PORT=0 for any free one",
        ) from None
    spare_collector()
    sys.setswitchinterval(SWITCH_S)
    return Running(name, settings, metrics)


def spare_collector() -> None:
    """Let the collector of cycles look seldom: batches and judgings make many objects and hardly a cycle.

    What is imported is never looked at again. Everything else is still collected, only later.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 20, 20)
