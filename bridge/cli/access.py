"""What ``check`` says about who may do what."""

from __future__ import annotations

from bridge.cli.findings import Finding, ok
from bridge.config.models import Config
from bridge.requests.permissions import Permissions

__all__ = ["access"]


def access(config: Config) -> Finding:
    """Say who may trade and who may halt, by the configuration alone."""
    open_to_all = (config.trading_is_open, config.requests_are_open)
    simulated = " (simulator: nothing is at stake)" if any(open_to_all) else ""
    return ok("access", f"{_trading(config)}; {_requests(config)}{simulated}")


def _trading(config: Config) -> str:
    if not config.orders_allowed:
        return "nobody may trade: orders.allow_real is false"
    if config.trading_is_open:
        return "whoever the broker lets in may trade"
    return f"{', '.join(sorted(config.orders.clients)) or 'nobody'} may trade"


def _requests(config: Config) -> str:
    if config.requests_are_open:
        return "whoever the broker lets in may halt and read accounts"
    permissions = Permissions.of(config)
    able = [name for name in sorted(config.requests.clients) if permissions.allows(name, "halt")]
    others = ["whoever the broker lets in"] if permissions.allows("", "halt") else []
    return f"{', '.join(able + others) or 'nobody'} may halt"
