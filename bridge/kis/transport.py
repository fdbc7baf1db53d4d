"""HTTP answers of a bounded length, whatever the server writes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

__all__ = ["LARGEST", "BoundedTransport"]

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
