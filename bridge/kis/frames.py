"""What KIS writes on its WebSocket: data frames, acknowledgements, PINGPONG.

Pure: text in, frozen objects out. Source: KIS's protocol notes and captured traffic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from bridge.errors import FrameError
from bridge.runtime.bounded_json import JsonError, decode_lenient

__all__ = ["Acknowledgement", "DataFrame", "Frame", "PingPong", "parse"]

_heads: dict[str, tuple[str, bool, int]] = {}
"""What a frame begins with, up to its last bar → its parts."""
_MOST_HEADS = 1024
_LONGEST_CONTROL = 64 * 1024
"""Letters of what is no market data; KIS's have a few hundred."""
_LONGEST_TR_ID = 16
"""Letters; KIS's have eight."""


@dataclass(slots=True)
class DataFrame:
    """``enc|TR|count|body``: one or more records, still joined."""

    # Not frozen: one is made for each frame, and that would take three times as long.
    tr_id: str
    encrypted: bool
    count: int
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PingPong:
    """KIS asks whether we live; the same text goes back."""

    text: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """KIS's answer to a subscription request, or an error it tells unasked.

    ``tr_id`` and ``tr_key`` are blank where KIS names none (it writes ``(null)``, null, or no
    header at all). ``key`` and ``iv`` open the notices of ``tr_id``; often blank.
    """

    tr_id: str
    tr_key: str
    rt_cd: str
    msg_cd: str
    msg1: str = field(repr=False)  # OPSP0011 echoes the approval key
    key: str = field(default="", repr=False)
    iv: str = field(default="", repr=False)


Frame: TypeAlias = DataFrame | Acknowledgement | PingPong


def parse(text: str) -> Frame:
    """Tell what a WebSocket text is.

    Raises :class:`FrameError` with the reason; the text itself is not repeated in it, since it may
    hold account data.
    """
    # The same few heads come again and again, so that each is read once.
    end = text.find("|", text.find("|", 2) + 1) + 1
    known = _heads.get(text[:end])
    if known is None:
        if text[:2] not in ("0|", "1|"):
            if text.lstrip()[:1] == "{":
                return _control(text)
            raise FrameError("neither a data frame (0|… or 1|…) nor JSON")
        known = _head(text, text[:end])
    body = text[end:]
    if not body:
        raise FrameError("the frame has no values")
    tr_id, encrypted, count = known
    return DataFrame(tr_id, encrypted, count, body)


def _head(text: str, head: str) -> tuple[str, bool, int]:
    parts = text.split("|", 3)
    if len(parts) != 4:
        raise FrameError(f"a data frame has four parts between bars, this one {len(parts)}")
    encrypted, tr_id, count, _ = parts
    if len(tr_id) > _LONGEST_TR_ID or not (tr_id.isascii() and tr_id.isalnum()):
        raise FrameError("the TR id of the frame is not one")
    if not (count.isascii() and count.isdigit() and 0 < len(count) <= 6 and int(count)):
        raise FrameError(f"the record count of the frame is no positive number: {count[:8]!r}")
    if len(_heads) >= _MOST_HEADS:  # a faulty line can invent any number of them
        _heads.clear()
    known = _heads[head] = (tr_id, encrypted == "1", int(count))
    return known


def _control(text: str) -> Acknowledgement | PingPong:
    try:
        message = decode_lenient(text, _LONGEST_CONTROL)
    except JsonError as error:
        raise FrameError("starts like JSON but is not") from error
    header = _part(message, "header")
    if header.get("tr_id") == "PINGPONG":
        return PingPong(text)
    body = _part(message, "body")
    if "msg_cd" not in body:
        raise FrameError("JSON with neither PINGPONG nor a msg_cd")
    output = _part(body, "output")
    return Acknowledgement(
        tr_id=_text(header, "tr_id"),
        tr_key=_text(header, "tr_key"),
        rt_cd=_text(body, "rt_cd"),
        msg_cd=_text(body, "msg_cd"),
        msg1=_text(body, "msg1").strip(),
        key=_text(output, "key"),
        iv=_text(output, "iv"),
    )


def _part(message: object, name: str) -> dict[str, object]:
    part = message.get(name) if isinstance(message, dict) else None
    return part if isinstance(part, dict) else {}


def _text(part: dict[str, object], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) and value != "(null)" else ""
