"""Logging: events of structlog, and of the libraries' own loggers, on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bridge.runtime.clock import now_us, seoul_moment, seoul_text
from bridge.runtime.redaction import Redactor, known
from bridge.runtime.repeats import Repeats

if TYPE_CHECKING:
    from pydantic import SecretStr

__all__ = ["configure"]

_CHATTY = (
    *("asyncio", "httpcore", "httpx", "websockets"),
    *("uvicorn", "uvicorn.access", "uvicorn.error"),  # uvicorn gives each its own handlers
)


def configure(
    level: str = "info",
    style: str = "auto",
    secrets: Collection[SecretStr] = (),
    *,
    stream: TextIO | None = None,
) -> None:
    """Send every log event to standard error (or ``stream``), with each secret as ``***``.

    ``style`` is ``console``, ``json``, or ``auto``: console on a terminal, JSON lines otherwise.
    """
    stream = stream or sys.stderr
    redactor = known()
    redactor.begin(secret.get_secret_value() for secret in secrets)
    console = style == "console" or (style == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _stamp(console),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redacting(redactor),
    ]
    renderer: Processor
    if console:
        renderer = structlog.dev.ConsoleRenderer(
            # Plain, because the traceback is a text already when secrets are looked for.
            colors=stream.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
        )
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.WARNING, root.level))
        logger.handlers = []
        logger.propagate = True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            Repeats(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _stamp(for_people: bool) -> Processor:
    """Return a processor that adds Seoul's time, as everything else here says it."""

    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        at = now_us()
        event["timestamp"] = seoul_moment(at) if for_people else seoul_text(at)
        return event

    return stamp


def _redacting(redactor: Redactor) -> Processor:
    """Return a processor that replaces secrets in texts, bytes, keys, and what holds them."""
    hide = _hider(redactor)

    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if not redactor:
            return event
        # Entries with a leading underscore are structlog's own: the formatter still needs them.
        own = {name: value for name, value in event.items() if name.startswith("_")}
        rest = {name: value for name, value in event.items() if name not in own}
        return {**own, **{str(hide(name)): hide(value) for name, value in rest.items()}}

    return redact


def _hider(redactor: Redactor) -> Callable[[object], object]:
    def hide(value: object) -> object:
        match value:
            case None | bool():
                return value
            case str():
                return redactor.text(value)
            case Mapping():
                return {hide(str(name)): hide(item) for name, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [hide(item) for item in value]
            case _:
                # Numbers, exceptions, paths, bytes: whatever a renderer would make a text of.
                text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                shown = repr(value)
                found = redactor.finds(shown) or redactor.finds(text)
                return redactor.text(shown) if found else value

    return hide
