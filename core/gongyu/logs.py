"""Structured logs: one JSON object a line on standard error, or plain words at a terminal. Never personal data."""

import logging
import sys

import msgspec
import structlog

__all__ = ["configure_logs"]


def _encoded(event: object, **_: object) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def configure_logs(level: int = logging.INFO) -> None:
    """Set up structlog for this process; also what libraries log through the standard module."""
    at_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if not at_terminal else structlog.processors.StackInfoRenderer(),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if at_terminal
            else structlog.processors.JSONRenderer(serializer=_encoded),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if at_terminal
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
