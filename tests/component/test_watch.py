"""``kis-bridge watch`` as a user runs it."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Publication
from tests.brokers import Mosquitto, free_port

DEADLINE_S = 20.0


async def watch(*args: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from bridge.cli import main; main()",
        "watch",
        *args,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_lines_for_a_pipe(mosquitto: Mosquitto) -> None:
    client = ControlClient([Endpoint.parse(mosquitto.url)], client_id="writer", clean=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(client.run())
        await client.publish(
            Publication("kis/a", '{"price":1.50,"name":"삼성"}'.encode(), retain=True)
        )
        await client.publish(Publication("kis/b", b"plain", retain=True), wait=True)
        code, out, err = await watch("--url", mosquitto.url, "--count", "2")
        assert (code, err) == (0, "")
        lines = [json.loads(line) for line in out.splitlines()]
        assert sorted(line["topic"] for line in lines) == ["kis/a", "kis/b"]
        assert '"payload":{"price":1.50,"name":"삼성"}}' in out
        assert await watch("other/#", "--url", mosquitto.url, "--for", "0.1") == (0, "", "")
        await client.close()


async def test_brokers_of_a_list_are_tried_in_turn(mosquitto: Mosquitto) -> None:
    urls = json.dumps([f"mqtt://127.0.0.1:{free_port()}", mosquitto.url])
    assert await watch("other/#", "--url", urls, "--for", "0.1") == (0, "", "")
    code, out, err = await watch("--url", "embedded")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--url mqtt://127.0.0.1:1883" in err


async def test_errors_are_one_line() -> None:
    code, out, err = await watch("--url", f"mqtt://127.0.0.1:{free_port()}")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "connection refused" in err
    code, out, err = await watch("--url", "http://127.0.0.1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "mqtt://" in err


async def test_a_reader_that_leaves_is_no_fault_of_ours(mosquitto: Mosquitto) -> None:
    client = ControlClient([Endpoint.parse(mosquitto.url)], client_id="writer", clean=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(client.run())
        await client.publish(Publication("pipe/a", b"1", retain=True), wait=True)
        reader, writer = os.pipe()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from bridge.cli import main; main()"),
            *("watch", "pipe/#", "--url", mosquitto.url),
            stdout=writer,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(writer)
        async with asyncio.timeout(DEADLINE_S):
            with os.fdopen(reader, "rb") as out:
                await asyncio.to_thread(out.readline)
            while process.returncode is None:
                await client.publish(Publication("pipe/a", b"2"), wait=True)
            assert process.stderr is not None
            assert await process.stderr.read() == b""
        assert process.returncode == 1
        await client.close()
