"""What is written when something ends that nobody expected to: its traceback, without secrets."""

from __future__ import annotations

import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import Any

from bridge.runtime.redaction import known

__all__ = ["hide_secrets_in_tracebacks", "write_traceback"]


def write_traceback(error: BaseException) -> None:
    """Write the traceback of an error on standard error."""
    if sys.stderr is not None:
        sys.stderr.write(known().text("".join(traceback.format_exception(error))))
        sys.stderr.flush()


def hide_secrets_in_tracebacks() -> None:
    """Let the interpreter write no secret, in tracebacks of threads and destructors neither."""

    def main(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        write_traceback(error)

    def thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and args.exc_type is not SystemExit:
            write_traceback(args.exc_value)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            write_traceback(args.exc_value)

    plain = warnings.formatwarning

    def warning(*args: Any, **more: Any) -> str:
        return known().text(plain(*args, **more))

    warnings.formatwarning = warning
    sys.excepthook = main
    threading.excepthook = thread
    sys.unraisablehook = unraisable
