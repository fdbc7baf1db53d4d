"""Requests go to KIS as they were written, and answers come whole or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from bridge.kis.transport import StraightClient


class Server(httpx.AsyncBaseTransport):
    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0)


class Broken(httpx.AsyncByteStream):
    """Breaks off in the middle."""

    def __init__(self) -> None:
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        raise httpx.ReadError("broken off")

    async def aclose(self) -> None:
        self.closed = True


async def test_what_a_server_wants_remembered_is_not_sent_back() -> None:
    server = Server(httpx.Response(200, headers={"set-cookie": "a=b"}), httpx.Response(200))
    async with StraightClient(server) as http:
        await http.get("http://kis/one")
        await http.get("http://kis/two")
    assert not any("cookie" in request.headers for request in server.asked)


async def test_a_redirection_is_an_answer_like_others() -> None:
    server = Server(httpx.Response(302, headers={"location": "http://elsewhere/"}))
    async with StraightClient(server) as http:
        assert (await http.get("http://kis/")).status_code == 302
    assert len(server.asked) == 1


async def test_an_answer_that_breaks_off_is_an_error_and_gives_its_connection_back() -> None:
    stream = Broken()
    async with StraightClient(Server(httpx.Response(200, stream=stream))) as http:
        with pytest.raises(httpx.ReadError, match="broken off") as caught:
            await http.get("http://kis/")
    assert stream.closed
    assert caught.value.request.url == "http://kis/"


async def test_whoever_watches_requests_sees_them() -> None:
    seen: list[str] = []

    async def watch(request: httpx.Request) -> None:
        seen.append(request.url.path)

    async with StraightClient(Server(httpx.Response(200))) as http:
        http.event_hooks["request"].append(watch)
        await http.get("http://kis/one")
    assert seen == ["/one"]
