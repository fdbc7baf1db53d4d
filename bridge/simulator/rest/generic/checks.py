"""What KIS checks before a call is carried out (pure)."""

from __future__ import annotations

from collections.abc import Container

from bridge.catalog.model import Api, Catalog
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.rest.params import InputError, Params, account_of

__all__ = ["check"]


def check(api: Api, catalog: Catalog, params: Params, accounts: Container[str]) -> None:
    """Raise :class:`InputError` or :class:`OrderRefused` for what KIS would not take."""
    for param in api.params:
        name = param.name.upper()
        if param.required and name not in params:
            raise InputError(name)
        value = params.get(name, "")
        if value and param.codes:
            known = [code.code for code in catalog.codes[param.codes]]
            if value not in known:
                raise InputError(name)
    if "CANO" in params and account_of(params) not in accounts:
        raise OrderRefused("account")
