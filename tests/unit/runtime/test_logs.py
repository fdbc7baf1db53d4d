"""No secret reaches the log, whoever writes it and in whatever it is wrapped."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from bridge.runtime import logs

SECRETS = ["s3cret-app-key", "pa$$(w)ord", "12345678-01", "1234567801", "12345678"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers, root.level = handlers, level


def configure(stream: io.StringIO, level: str = "debug", style: str = "auto") -> None:
    logs.configure(level, style, {SecretStr(secret) for secret in SECRETS}, stream=stream)


class Carrier:
    def __repr__(self) -> str:
        return f"Carrier({SECRETS[0]})"


def leak(secret: str) -> None:
    """Write a secret in every way that the code base, or a library, could."""
    log = structlog.get_logger()
    log.info(f"event {secret}")
    log.info("text", value=secret, inside=f"a{secret}b")
    log.info("nested", value={"key": [secret, (secret, {secret: 1})]}, names={secret})
    log.info("bytes", value=secret.encode())
    log.info("number", value=int(secret) if secret.isdigit() else 0)
    log.info("objects", value=ValueError(secret), carrier=Carrier())
    log.info("position %s", secret)
    log.bind(**{secret: secret}).warning("bound")
    with structlog.contextvars.bound_contextvars(context=secret):
        log.info("context")
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("library").exception("failed with %s", secret)
    logging.getLogger("library").warning("argument %s %r", secret, {"a": secret})
    logging.getLogger("library").warning(secret)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_no_secret_in_any_output(secret: str, stream: type[io.StringIO]) -> None:
    out = stream()
    configure(out)
    leak(secret)
    text = out.getvalue()
    assert text.count("***") >= 15
    for one in SECRETS:
        assert one not in text


def test_json_lines_when_piped() -> None:
    out = io.StringIO()
    configure(out)
    structlog.get_logger().info("slot refused", channel="H0STCNT0", limit=41, name="삼성")
    logging.getLogger("library").warning("from %s", "outside")
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert first["event"] == "slot refused"
    assert (first["channel"], first["limit"], first["level"]) == ("H0STCNT0", 41, "info")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+09:00", first["timestamp"])
    assert "삼성" in out.getvalue()
    assert (second["event"], second["logger"]) == ("from outside", "library")


def test_console_on_a_terminal_and_when_asked() -> None:
    for stream, style in ((Terminal(), "auto"), (io.StringIO(), "console")):
        configure(stream, style=style)
        structlog.get_logger().info("hello", limit=41)
        assert "hello" in stream.getvalue()
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", stream.getvalue())
        assert not stream.getvalue().startswith("{")


def test_json_on_a_terminal_when_asked() -> None:
    stream = Terminal()
    configure(stream, style="json")
    structlog.get_logger().info("hello")
    assert json.loads(stream.getvalue())["event"] == "hello"


def test_level_and_chatty_libraries() -> None:
    out = io.StringIO()
    configure(out, level="info")
    structlog.get_logger().debug("hidden")
    for name in ("uvicorn.access", "httpx", "websockets.client"):
        logging.getLogger(name).info("hidden")
        logging.getLogger(name).warning("shown")
    assert "hidden" not in out.getvalue()
    assert out.getvalue().count("shown") == 3


def test_without_secrets_nothing_is_replaced() -> None:
    out = io.StringIO()
    logs.configure("info", "json", (), stream=out)
    structlog.get_logger().info("plain", value="***x")
    assert json.loads(out.getvalue())["value"] == "***x"


def test_default_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    structlog.get_logger().info("where")
    captured = capsys.readouterr()
    assert "where" in captured.err
    assert captured.out == ""
