"""The log: one line per fact, on standard error; never a message, a name or a secret."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

from appservice.faults import place

log = structlog.get_logger()


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Set up logging for the process.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        form: ``text`` for people, ``json`` for machines.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor
    if form == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_message,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries: only what they warn about, and nothing of requests or statements.
    handler = _LibraryHandler(level=max(number, logging.WARNING))
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


class _LibraryHandler(logging.Handler):
    """What libraries log, in our form: which logger, which template, which error; never its values.

    aiohttp logs a malformed request with its bytes, tokens and cookies included.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record of a library."""
        template = record.msg if isinstance(record.msg, str) and record.args else "library.message"
        error = place(record.exc_info[1]) if record.exc_info and record.exc_info[1] else None
        log.log(record.levelno, "library", logger=record.name, template=template[:80], error=error)


def _without_message(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace an exception by its class and the lines it passed; its message may hold what people wrote."""
    if event.pop("exc_info", None):
        kind, _, trace = sys.exc_info()
        places = []
        while trace is not None:
            code = trace.tb_frame.f_code
            places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
            trace = trace.tb_next
        event["error"] = kind.__name__ if kind else "unknown"
        event["stack"] = places[-12:]
    return event
