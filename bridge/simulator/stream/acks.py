"""What the WebSocket says to registrations (pure)."""

from __future__ import annotations

from typing import Any

__all__ = ["reply"]

_TEXTS = {
    "OPSP0000": "SUBSCRIBE SUCCESS",
    "OPSP0001": "UNSUBSCRIBE SUCCESS",
    "OPSP0002": "ALREADY IN SUBSCRIBE",
    "OPSP0003": "UNSUBSCRIBE ERROR(not found!)",
    "OPSP0008": "MAX SUBSCRIBE OVER",
    "OPSP0017": "ERROR : htsid가잘못되었습니다",
    "OPSP8991": "SUBSCRIBE ERROR : invalid tr_id",
    "OPSP8992": "SUBSCRIBE ERROR : invalid tr_key",
    "OPSP8996": "ALREADY IN USE appkey",
    "OPSP8997": "JSON PARSING ERROR : invalid tr_type",
    "OPSP9990": "JSON PARSING ERROR : tr_key not found",
    "OPSP9991": "JSON PARSING ERROR : input not found",
    "OPSP9992": "JSON PARSING ERROR : body not found",
    "OPSP9997": "JSON PARSING ERROR : custtype not found",
    "OPSP9998": "JSON PARSING ERROR : header not found",
    "OPSP9999": "JSON PARSING ERROR : invalid json format",
}
_UNNAMED = ("OPSP0017", "OPSP8996", "OPSP8997", "OPSP999")
"""Answers (or beginnings of their codes) that name no TR id."""


def reply(
    code: str,
    tr_id: str = "",
    key: str = "",
    *,
    text: str = "",
    encrypted: bool = False,
    output: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return an acknowledgement or refusal, as KIS words it."""
    unnamed = not tr_id or code.startswith(_UNNAMED)
    rt_cd = "0" if code in ("OPSP0000", "OPSP0001") else "9" if unnamed else "1"
    body: dict[str, Any] = {"rt_cd": rt_cd, "msg_cd": code, "msg1": text or _TEXTS[code]}
    if output is not None:
        body["output"] = output
    header = {
        "tr_id": "(null)" if unnamed else tr_id,
        "tr_key": "" if unnamed else key,
        "encrypt": "Y" if encrypted else "N",
    }
    return {"header": header, "body": body}
