"""Structured logs: lines for people on a terminal, one JSON object a line for machines.

Every record carries ``time`` (UTC), ``level``, ``process`` and ``event``. The standard library's records
(uvicorn, asyncio, drivers) pass through the same door. Only the outer layers log; the core never does.
"""

import logging
import sys
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.settings import Settings

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class CurrentStderr(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is now: a live table on the terminal puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, to standard error as it is at this moment."""
        self.stream = sys.stderr
        super().emit(record)


def configure(settings: Settings, process: str) -> None:
    """Set the logs of this process up. Writes to standard error. Safe to repeat.

    Args:
        settings: ``log_format`` and ``log_level`` are used.
        process: this process's name, as in ``run/endpoints.json``: ``gateway-1``, ``judge``, ``api``.
    """
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())

    def name_process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")
        if as_json
        else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="timestamp"),
        name_process,
    ]
    # Plain tracebacks in both: the rich ones print local variables, and so passwords.
    rendering: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    handler = CurrentStderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[settings.log_level])
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[settings.log_level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
