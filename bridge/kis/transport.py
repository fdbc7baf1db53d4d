"""HTTP answers of a bounded length, whatever the server writes, and no more than is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx

__all__ = ["LARGEST", "BoundedTransport", "StraightClient"]

LARGEST = 16 << 20
"""Bytes of an answer; the largest file of KIS, a symbol master, has about 4 MB."""
_LARGEST_COMPRESSED = 64 * 1024
"""Bytes before they are unpacked, where the server packs them without being asked; a thousand times
as many can come out."""


class BoundedTransport(httpx.AsyncHTTPTransport):
    """Breaks off the answer of a server that does not stop; raises :class:`httpx.ReadError`."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101
        packed = response.headers.get("content-encoding", "identity") != "identity"
        response.stream = _Bounded(response.stream, _LARGEST_COMPRESSED if packed else LARGEST)
        return response


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for part in self._stream:
            taken += len(part)
            if taken > self._most:
                raise httpx.ReadError(f"the answer is longer than {self._most} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


class StraightClient(httpx.AsyncClient):
    """Hands requests to its transport as they are: without cookies, redirects and authentication.

    KIS has none of them, and to look for them takes longer than the rest of an order's way.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, **options: Any) -> None:
        super().__init__(transport=transport, **options)
        self._straight = transport

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request and read its answer; what is streamed or watched goes the long way."""
        if options.get("stream") or any(self.event_hooks.values()):
            return await super().send(request, **options)
        response = await self._straight.handle_async_request(request)
        response.request = request
        try:
            await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response
