"""``check`` looks at the certificate that a broker really shows, and at the configured files."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.broker.certificates import SERVER_DAYS, Authority
from bridge.broker.folder import BrokerFolder
from bridge.cli.certificates import certificate, certificate_files
from bridge.cli.findings import Finding
from bridge.config.models import MqttConfig


def made(folder: Path, left: timedelta) -> Path:
    """Make an authority and a server's certificate that ends after ``left``."""
    then = datetime.now(UTC) - timedelta(days=SERVER_DAYS) + left
    Authority(BrokerFolder(folder), then).server(["localhost"])
    return folder / "tls/ca.crt"


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[str]:
    """Shake hands with whoever comes, as a broker does before it reads anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls/server.crt", folder / "tls/server.key")
    alive: list[asyncio.StreamWriter] = []

    async def came(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive.append(writer)

    # A client that refuses the certificate is logged by asyncio as an error of the server.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    server = await asyncio.start_server(came, "localhost", 0, ssl=context)
    try:
        yield f"mqtts://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in alive:
            with contextlib.suppress(OSError):
                writer.transport.abort()
        server.close()
        await server.wait_closed()


async def shown(folder: Path, left: timedelta) -> list[Finding]:
    trusted = made(folder, left)
    async with listening(folder) as url:
        return await certificate(MqttConfig(url=(url,), ca_file=trusted), url)


async def test_a_certificate_that_lasts_is_well(tmp_path: Path) -> None:
    (row,) = await shown(tmp_path, timedelta(days=31))
    assert row.status == "ok"
    assert "30 days" in row.detail


async def test_one_that_ends_within_thirty_days_is_a_problem(tmp_path: Path) -> None:
    (row,) = await shown(tmp_path, timedelta(days=29, hours=1))
    assert row.status == "problem"
    assert "in 29 days" in row.detail
    assert "kis-bridge tls renew" in row.mend


async def test_one_that_has_ended_is_told_as_that(tmp_path: Path) -> None:
    (row,) = await shown(tmp_path, timedelta(hours=-1))
    assert (row.status, row.detail) == ("problem", "it has ended")


@pytest.mark.parametrize("url", ["mqtt://localhost:1", "ws://localhost:1", "mqtts://localhost:1"])
async def test_what_shows_none_has_no_row(url: str) -> None:
    assert await certificate(MqttConfig(url=(url,)), url) == []


async def test_one_that_is_not_trusted_is_the_row_of_the_broker(tmp_path: Path) -> None:
    made(tmp_path / "one", timedelta(days=100))
    other = made(tmp_path / "other", timedelta(days=100))
    async with listening(tmp_path / "one") as url:
        assert await certificate(MqttConfig(url=(url,), ca_file=other), url) == []


def test_the_files_that_are_configured_are_looked_at(tmp_path: Path) -> None:
    trusted = made(tmp_path, timedelta(days=10))
    config = MqttConfig(
        url=("mqtts://localhost",),
        ca_file=trusted,
        cert_file=tmp_path / "tls/server.crt",
        key_file=tmp_path / "tls/server.key",
    )
    rows = {row.what: row for row in certificate_files(config)}
    assert rows["mqtt.ca_file"].status == "ok"
    assert rows["mqtt.cert_file"].status == "problem"
    assert "days" in rows["mqtt.cert_file"].detail
    trusted.write_text("nothing")
    rows = {row.what: row for row in certificate_files(config)}
    assert "holds no certificate" in rows["mqtt.ca_file"].detail
