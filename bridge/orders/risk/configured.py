"""The rules of the order line as the configuration says them."""

from __future__ import annotations

from bridge.config.models import Config
from bridge.config.orders import LimitsConfig
from bridge.orders.risk.limits import Limits
from bridge.orders.risk.rules import Rules

__all__ = ["configured"]


def configured(config: Config) -> Rules:
    """Return the rules of a configuration."""
    orders = config.orders
    return Rules(
        paper=config.kis.paper,
        environment=config.kis.environment,
        orders_allowed=config.orders_allowed,
        limits=_limits(orders.limits),
        client_limits={name: _limits(client.limits) for name, client in orders.clients.items()},
        permits=config.may_trade,
        permits_credit=orders.permits_credit,
        signing_keys={
            name: client.signing_key
            for name, client in orders.clients.items()
            if client.signing_key is not None
        },
        markets=orders.markets,
        market_hours=config.market_hours,
        rates={str(currency): rate for currency, rate in orders.rates.items()},
        reconcile_s=orders.reconcile_s,
        proof_s=orders.proof_s,
        response_prefixes=config.mqtt.response_prefixes,
        grace_s=5.0,
    )


def _limits(limits: LimitsConfig) -> Limits:
    return Limits(**limits.model_dump())
