"""The command line: the table of commands; each module is imported when its command runs."""

from __future__ import annotations

import codecs
import contextlib
import errno
import gc
import importlib
import io
import os
import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from bridge import __version__
from bridge.errors import BridgeError, ConfigError, WorkbookError
from bridge.runtime.crashes import hide_secrets_in_tracebacks, write_traceback
from bridge.runtime.redaction import known

__all__ = ["COMMANDS", "app", "main"]

COMMANDS: Final = {
    "demo": ("bridge.cli.demo:demo", "Run everything on this machine, without an account."),
    "run": ("bridge.cli.run:run", "Run the bridge: KIS to MQTT, MQTT to KIS."),
    "simulate": ("bridge.cli.simulate:simulate", "Run a simulated KIS, for any KIS client."),
    "init": ("bridge.cli.init:init", "Ask a few questions and write a configuration."),
    "check": ("bridge.cli.check:check", "Test configuration, credentials, broker and clock."),
    "decode": ("bridge.cli.decode:decode", "Decode raw frames from standard input."),
    "watch": ("bridge.cli.watch:watch", "Show what arrives over MQTT."),
    "subscribe": ("bridge.cli.requests:subscribe", "Ask a running bridge for symbols."),
    "unsubscribe": ("bridge.cli.requests:unsubscribe", "Give up symbols."),
    "query": ("bridge.cli.requests:query", "Make a read-only REST call of KIS."),
    "halt": ("bridge.cli.requests:halt", "Refuse new orders."),
    "resume": ("bridge.cli.requests:resume", "Take orders again."),
    "resolve": ("bridge.cli.requests:resolve", "Settle an order left unknown."),
    "order": ("bridge.cli.order:app", "Place, modify, cancel and show orders."),
    "orders": ("bridge.cli.orders:orders", "Show the journal of a day."),
    "journal": ("bridge.cli.journal_adopt:app", "Take a journal into use that lacks orders."),
    "spec": ("bridge.cli.spec:app", "Check, compile and show the workbook."),
    "symbols": ("bridge.cli.symbols:app", "Find symbols by name."),
    "users": ("bridge.cli.users:app", "The broker's users and what they may do."),
    "tls": ("bridge.cli.tls:app", "The broker's certificates."),
    "bench": ("bridge.cli.bench:bench", "Measure speed, CPU, latency and loss."),
}
"""Name → where it is, and its line in ``--help``."""


class _Commands(TyperGroup):
    """Puts the real command in the place of its line when it is called for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in COMMANDS:
            self.commands[args[0]] = _load(args[0])
        return super().resolve_command(ctx, args)


def _load(name: str) -> Any:
    module, _, attribute = COMMANDS[name][0].partition(":")
    # What is imported stays: to look through it for garbage, again and again, takes a fifth of
    # the start.
    gc.disable()
    try:
        target = getattr(importlib.import_module(module), attribute)
    finally:
        gc.freeze()
        gc.enable()
    if isinstance(target, typer.Typer):
        command: Any = get_group(target)
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name)(target)
        command = get_command(single)
    command.name = name
    return command


# Help stays plain text: the rich one costs half of the start-up.
app = typer.Typer(
    name="kis-bridge",
    cls=_Commands,
    help="KIS real-time data and orders over MQTT.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kis-bridge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def _line(name: str, text: str) -> None:
    def stand_in() -> None:
        raise AssertionError(f"{name} was not loaded")

    app.command(name, help=text)(stand_in)


for _name, (_, _text) in COMMANDS.items():
    _line(_name, _text)


def main() -> None:
    """Run the command line and end the process with the contract's exit code."""
    hide_secrets_in_tracebacks()
    codecs.register_error("json-escape", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="json-escape")
    sys.exit(_finish(_run()))


def _run() -> int:
    try:
        # standalone_mode=False: a command's Exit comes back as its code, errors come as they are.
        result = app(standalone_mode=False, prog_name="kis-bridge")
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:  # noqa: BLE001 - every one becomes a line
        leaves = _leaves(error)
        culprit = next((leaf for leaf in leaves if not isinstance(leaf, BridgeError)), leaves[0])
        if isinstance(culprit, BrokenPipeError):
            return 1  # the reader has left, as `| head` does
        expected = isinstance(culprit, BridgeError | typer.TyperException)
        if not expected and os.environ.get("KIS_BRIDGE_DEBUG"):
            write_traceback(error)
            return 1
        return _report(culprit)
    return result if isinstance(result, int) else 0


def _finish(code: int) -> int:
    """Write out what is left; return the exit code, not 0 when something could not be written."""
    if sys.stdout is None:  # the process was started with none
        return code
    try:
        sys.stdout.flush()
    except OSError as error:
        # The interpreter would complain of the same once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not code and not isinstance(error, BrokenPipeError):
            _report(error)
        return code or 1
    return code


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Write what the terminal's or pipe's encoding lacks as JSON does: lines of it stay JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)), error.end


def _leaves(error: BaseException) -> list[BaseException]:
    """Return what went wrong, taken out of a task group's wrapping; a bug hides nowhere in it."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _report(error: BaseException) -> int:
    """Write one line on standard error and return the exit code."""
    match error:
        case ConfigError() | WorkbookError():
            text, code = str(error), 2
        case BridgeError():
            text, code = str(error), 1
        case typer.TyperException():
            text, code = error.format_message().rstrip("."), error.exit_code
            if "\n" in text:
                # A help text: the command was called without what it needs.
                _tell(text)
                return code
            if (context := getattr(error, "ctx", None)) is not None:
                text += f" (see {context.command_path} --help)"
        case OSError(errno=errno.ENOSPC):
            text, code = str(error.strerror), 1
        case _:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            text = f"internal error: {what} (run with KIS_BRIDGE_DEBUG=1 for the traceback)"
            code = 1
    _tell(f"kis-bridge: {text}")
    return code


def _tell(text: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{known().text(text)}\n")
