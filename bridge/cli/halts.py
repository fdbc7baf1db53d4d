"""What a bridge says about halts, in words; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["after_halt", "after_resume", "listing", "way_back"]

_MODES = {
    "halted": "halted",
    "reduce_only": "reduce-only: only orders that make a position smaller are taken",
}


def after_halt(data: Mapping[str, Any], account: str, client: str, *, reduce_only: bool) -> str:
    """Return what holds after a halt was asked for."""
    # A bridge of an older version does not say what holds.
    asked = "reduce_only" if reduce_only else "halted"
    circle, mode = _circle(account, client), str(data.get("mode") or asked)
    said = [f"{circle} is {_MODES.get(mode, mode)}"]
    if mode != asked:
        said.append("a full halt held already and still holds")
    if data.get("known") is False:
        said.append(f"{client} is not known yet: halted in advance")
    if data.get("written") is False:
        said.append("it is NOT on disk yet: a restart before that would forget it")
    if cancelling := data.get("cancelling"):
        said.append(f"{cancelling} open orders are being cancelled")
    return f"{_where(data)}{'; '.join(said)}"


def after_resume(data: Mapping[str, Any], account: str, client: str) -> str:
    """Return what holds after a resumption was asked for."""
    circle, mode, halts = _circle(account, client), data.get("mode"), data.get("halts") or ()
    first = _where(data) + (
        f"{circle} was not halted"
        if data.get("resumed") is False
        else f"the halt of {circle} is taken back"
    )
    if mode:
        return f"{first}; a wider one holds: {listing(halts)} ({way_back(halts)})"
    if halts:
        return f"{first}; still {listing(halts)} ({way_back(halts)})"
    return f"{first}; everybody may trade"


def listing(halts: Iterable[Mapping[str, Any]]) -> str:
    """Return who may not trade freely: ``client alice is halted, account main is reduce-only``."""
    return ", ".join(
        f"{_circle(one.get('account'), one.get('client'))} is {str(one['mode']).replace('_', '-')}"
        for one in halts
    )


def way_back(halts: Iterable[Mapping[str, Any]]) -> str:
    """Return the commands that take these halts back."""
    return "; ".join(
        "kis-bridge resume"
        + "".join(f" --{name} {one[name]}" for name in ("account", "client") if one.get(name))
        for one in halts
    )


def _where(data: Mapping[str, Any]) -> str:
    """Return for whose money it holds; blank from a bridge that does not say."""
    environment = data.get("environment")
    return f"[{environment}] " if environment else ""


def _circle(account: str | None, client: str | None) -> str:
    match account or "", client or "":
        case "", "":
            return "all trading"
        case "", name:
            return f"client {name}"
        case alias, "":
            return f"account {alias}"
        case alias, name:
            return f"client {name} on account {alias}"
