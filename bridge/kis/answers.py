"""What an HTTP answer of KIS says, and what that tells of the effect of the call; no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx
import structlog

from bridge.catalog.model import Api, Catalog
from bridge.kis.replies import (
    NOT_PROCESSED,
    UNSURE,
    Doubt,
    KisError,
    KisNotProcessedError,
    KisRefusedError,
    KisUnknownError,
    Reply,
)
from bridge.kis.wording import token_over
from bridge.runtime.bounded_json import JsonError, decode_lenient
from bridge.runtime.redaction import known

__all__ = [
    "LONGEST",
    "OTHER_SERVER",
    "json_object",
    "read",
    "refusals",
    "said_rate",
]

log = structlog.get_logger()

LONGEST = 4 << 20
"""Bytes of an answer; a page of a hundred rows has about a hundred thousand."""

OTHER_SERVER = frozenset({"EGW02004", "EGW02006"})
"""Codes by which KIS says that a key, or a call, is not for this server."""
_OWN_KEYS = (
    "paper and real trading have app keys, accounts and servers of their own; check that this key "
    "was issued for kis.environment"
)
_TOKEN_OVER = frozenset({"EGW00121", "EGW00122", "EGW00123"})
_REFUSAL = re.compile(r"EGW(001\d\d|0020[5-9]|0021[0-3]|0030[34]|00310|0200[46])")
"""Refusals by the gateway that KIS describes. Any other refusal of a call that changes something
may have been carried out."""
_RATE = "x-rate-limit-per-second"
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_SLOWEST = 0.1
"""Calls a second at least, whatever a server says of itself."""


_NOT_LET_IN = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_DENIED = frozenset({"EGW00003", "EGW00004"})
"""Access denied, not authorised: KIS does not say of what."""

_LONGEST_TEXT = 500
"""Letters of KIS's text that are shown and kept; its longest have about a hundred."""


def refusals(catalog: Catalog) -> Callable[[str], bool]:
    """Return what tells the codes by which KIS's order systems say that they did nothing."""
    listed = [code.code for code in catalog.codes.get("order_refusal", ())]
    for name in ("order_refusal", "order_channel"):
        if not catalog.codes.get(name):
            log.warning("workbook too old: what KIS does with orders stays unknown", list=name)
    families = tuple(code[:-1] for code in listed if code.endswith("*"))
    return lambda code: bool(code) and (code in listed or code.startswith(families))


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    """Return the JSON object that KIS answered; None when the answer is anything else."""
    try:
        body = decode_lenient(response.content, LONGEST)
    except JsonError:
        return None
    return body if isinstance(body, dict) else None


def read(
    api: Api, response: httpx.Response, hidden: Iterable[str], refused: Callable[[str], bool]
) -> Reply:
    """Return the answer of KIS's systems, or raise what the gateway's refusal means.

    ``hidden`` are the texts that must not be shown: keys, the token, the account number;
    ``refused`` tells the codes of :func:`refusals`.
    """
    body = json_object(response)
    if body is None:
        raise KisUnknownError(
            f"{api.name}: HTTP {response.status_code} without a JSON object",
            doubt=_doubt(response, "", response.content[:_LONGEST_TEXT].decode(errors="replace")),
        )
    rt_cd = _text(body, "rt_cd")
    # The token endpoints have other names for code and text than all other calls (docs/kis.md).
    msg_cd = _text(body, "msg_cd") or _text(body, "error_code")
    msg1 = _text(body, "msg1") or _text(body, "error_description")
    for secret in hidden:
        msg1 = msg1.replace(secret, "***") if secret else msg1
    # In other forms, and other secrets. Cut off afterwards, so that no half of one stays.
    msg_cd, msg1 = known().text(msg_cd), known().text(msg1[: 8 * _LONGEST_TEXT])[:_LONGEST_TEXT]
    described, doubt = False, Doubt.NONE
    if rt_cd != "0":
        described = (
            msg_cd in NOT_PROCESSED or _REFUSAL.fullmatch(msg_cd) is not None or refused(msg_cd)
        )
        if msg_cd in _TOKEN_OVER:
            doubt = Doubt.PROVEN
        elif not described:
            doubt = _doubt(response, msg_cd, f"{_text(body, 'error')} {msg1}")
    answered = response.status_code == httpx.codes.OK and rt_cd and not _fault(rt_cd, msg_cd)
    # A code that nobody has described may stand for a fault after the order was passed on.
    if answered and (rt_cd == "0" or not api.changes or refused(msg_cd)):
        return Reply(
            rt_cd=rt_cd,
            msg_cd=msg_cd,
            msg1=msg1,
            body=body,
            tr_cont=response.headers.get("tr_cont", "").strip(),
            tr_id=response.headers.get("tr_id", "").strip(),
            doubt=doubt,
        )
    # The code decides and not the HTTP status: KIS sends EGW00201 (not processed) and EGW00123
    # (the token is over) with status 500, like faults that may have been carried out.
    kind: type[KisError] = KisUnknownError
    if msg_cd in NOT_PROCESSED:
        kind = KisNotProcessedError
    elif msg_cd.startswith("EGW") and msg_cd not in UNSURE:
        kind = KisRefusedError if described or not api.changes else KisUnknownError
    detail = f"{msg_cd} {msg1}".strip() or f"HTTP {response.status_code}"
    if msg_cd in OTHER_SERVER:
        detail += f": {_OWN_KEYS}"
    raise kind(f"{api.name}: {detail}", msg_cd=msg_cd, msg1=msg1, doubt=doubt)


def _doubt(response: httpx.Response, msg_cd: str, text: str) -> Doubt:
    """Return what an answer that nobody has described tells against the token."""
    challenge = response.headers.get("www-authenticate", "")
    if response.status_code == httpx.codes.UNAUTHORIZED or token_over(f"{text} {challenge}"):
        return Doubt.WORDED
    if response.status_code in _NOT_LET_IN or msg_cd in _DENIED:
        return Doubt.DENIED
    return Doubt.NONE


def said_rate(response: httpx.Response) -> float | None:
    """Return the calls a second that the simulator says it takes; KIS says nothing of the kind."""
    said = response.headers.get(_RATE, "")
    if not _NUMBER.fullmatch(said):
        return None
    return max(float(said), _SLOWEST)


def _fault(rt_cd: str, msg_cd: str) -> bool:
    """Tell a refusal by the gateway from an answer of the system behind it."""
    return rt_cd != "0" and msg_cd.startswith("EGW")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value.strip() if isinstance(value, str) else ""
