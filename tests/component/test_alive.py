"""The health check of a container: it asks the real server, and a silent one."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
from pathlib import Path

import pytest

from bridge.broker.certificates import Authority
from bridge.broker.folder import BrokerFolder
from bridge.dashboard.alive import ask
from tests.component.test_dashboard import World

CHECK = [sys.executable, "-m", "bridge.dashboard.alive"]


async def check(*args: str, **environ: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *CHECK, *args, env={**os.environ, **environ}, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_bridge_that_answers_is_healthy() -> None:
    async with World().served() as dashboard:
        assert await check(f"127.0.0.1:{dashboard.port}") == (0, "")


async def test_the_address_is_that_of_the_environment() -> None:
    async with World().served() as dashboard:
        listen = f"0.0.0.0:{dashboard.port}"
        assert await check(KIS_BRIDGE_DASHBOARD__LISTEN=listen) == (0, "")


async def test_nobody_there_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, said = await check(f"127.0.0.1:{port}")
    assert code == 1
    assert said.count("\n") == 1
    assert "refused" in said


def test_a_frozen_bridge_is_not_healthy() -> None:
    """The kernel goes on taking connections for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(TimeoutError):
        ask(f"127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.1)


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """A certificate that nobody trusts."""
    folder = BrokerFolder(tmp_path / "broker")
    Authority(folder).server(["bridge.example"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder.tls / "server.crt", folder.tls / "server.key")
    return context


async def test_a_page_with_tls_and_a_login_is_healthy(context: ssl.SSLContext) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await asyncio.to_thread(ask, f"127.0.0.1:{port}") == 401
