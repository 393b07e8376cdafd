"""One JSON object a line on standard output; what looks like a secret never reaches it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from convex.telemetry.traces import current_trace

_HIDDEN = "[hidden]"
_SECRET_NAMES = re.compile(
    r"pass(word|wd)|secret|token|authori[sz]ation|cookie|api_?key$|signing_key|encryption_key",
    re.IGNORECASE,
)
_SECRET_VALUES = re.compile(
    r"cvx_[A-Za-z0-9_-]{8,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"
)


def configure_logs(level: str = "INFO", *, service: str) -> None:
    """Send structlog and the standard library's loggers through one pipeline to standard output.

    `service` names the process in every line. Calling it again replaces the earlier set-up.
    """

    def name_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        name_service,
        name_trace,
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_serialise),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(noisy)
        logger.handlers.clear()
        logger.propagate = noisy != "uvicorn.access"  # requests are logged by the API itself


def get_log(name: str) -> FilteringBoundLogger:
    """A logger; events are lower-case phrases, facts are keyword arguments."""
    return cast("FilteringBoundLogger", structlog.get_logger(name))


def bind(**facts: object) -> Mapping[str, object]:
    """Add facts to every line of this task from here on; give the answer to `unbind`."""
    return structlog.contextvars.bind_contextvars(**facts)


def unbind(tokens: Mapping[str, object]) -> None:
    """Take back what `bind` added."""
    structlog.contextvars.reset_contextvars(**tokens)  # type: ignore[arg-type]


def name_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the ids of the trace that the line belongs to, if there is one."""
    if traceparent := current_trace():
        event["trace_id"], event["span_id"] = traceparent[3:35], traceparent[36:52]
    return event


def hide_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace values under telling names, and keys, tokens and URL passwords in any text."""
    return {name: _clean(name, value) for name, value in event.items()}


def _clean(name: str, value: object) -> object:
    if name.startswith("_"):
        return value  # structlog's own
    if _SECRET_NAMES.search(name):
        return _HIDDEN
    if isinstance(value, str):
        return _SECRET_VALUES.sub(_HIDDEN, value)
    if isinstance(value, Mapping):
        return {str(key): _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner) for inner in value]
    return value


def _serialise(event: EventDict, **_: object) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
