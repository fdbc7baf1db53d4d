"""Why the bridge refuses commands: what each reason means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["REFUSALS", "RefusalHelp"]


class RefusalHelp(NamedTuple):
    """About one reason."""

    meaning: str
    mend: str


REFUSALS: Mapping[str, RefusalHelp] = {
    "invalid_payload": RefusalHelp(
        "a key is missing, unknown or wrong, or the payload is no JSON", "mend what `message` names"
    ),
    "retained_command": RefusalHelp(
        "the command was published with retain, and would come again after every reconnect",
        "publish without retain, and clear the topic with an empty retained message",
    ),
    "expired": RefusalHelp(
        "the command was past its deadline, had none, or its age is not known",
        "send it again with a new `expires_at` if it is still meant",
    ),
    "unknown_account": RefusalHelp(
        "no account has this alias", "see `accounts` in `kis/bridge/info`"
    ),
    "not_permitted": RefusalHelp(
        "the configuration does not let this client trade this account, or trade on credit",
        "name it under `[orders.clients]`",
    ),
    "bad_signature": RefusalHelp(
        "the client has a signing key, and did not sign it or not like this",
        "sign as docs/signing.md says",
    ),
    "duplicate_conflict": RefusalHelp(
        "this `client_order_id` was used for another command", "take a new one"
    ),
    "halted": RefusalHelp(
        "trading is halted, or only reducing is allowed",
        "find out why (`kis/bridge/event/halted`), then `kis-bridge resume`",
    ),
    "cancelled": RefusalHelp(
        "a cancellation of everything, or a halt, came before it was sent",
        "send it again under a new name if it is still meant",
    ),
    "clock": RefusalHelp(
        "this machine's clock and KIS's are too far apart to tell what is too old",
        "set the clock; the command can be sent again",
    ),
    "real_orders_disabled": RefusalHelp(
        "with real money orders need `orders.allow_real = true`", "say so in the configuration"
    ),
    "not_owner": RefusalHelp(
        "another bridge sends for this account", "send it to that one, or stop one of the two"
    ),
    "journal_unavailable": RefusalHelp(
        "the order journal cannot be written, or is not the one it was",
        "make room, or see `kis-bridge journal adopt` and docs/orders.md",
    ),
    "market_closed": RefusalHelp(
        "the venue takes no order of this type now", "docs/channels/hours.md says when it does"
    ),
    "unsupported": RefusalHelp(
        "KIS has no such orders for this account", "`message` says which accounts may"
    ),
    "symbol_fenced": RefusalHelp(
        "what became of an order for this symbol is not known yet",
        "wait for its event, or settle it: `kis-bridge resolve`",
    ),
    "unknown_order": RefusalHelp(
        "no order of this client has this name", "`kis-bridge orders` lists them"
    ),
    "not_cancellable": RefusalHelp(
        "the order is over, or KIS has not said yet that it has it", "look at its state"
    ),
    "overloaded": RefusalHelp(
        "too many commands wait already", "send fewer at a time; this one may be sent again"
    ),
    "rate_limited": RefusalHelp(
        "the client sends more than it may a second", "send fewer; most of what is more has no ack"
    ),
    "risk_quantity": RefusalHelp("more than the limit of one order", "`[orders.limits]`"),
    "risk_notional": RefusalHelp("worth more than the limit of one order", "`[orders.limits]`"),
    "risk_daily": RefusalHelp("the limit of the day would be passed", "`[orders.limits]`"),
    "risk_price_band": RefusalHelp(
        "the price is too far from the last one, or there is none to compare with",
        "`price_band` in `[orders.limits]`; subscribe the symbol",
    ),
    "risk_rate": RefusalHelp("more orders a minute than the limit", "`[orders.limits]`"),
    "risk_symbol": RefusalHelp("this symbol is not allowed, or is denied", "`[orders.limits]`"),
    "risk_open_orders": RefusalHelp("more open orders than the limit", "`[orders.limits]`"),
    "risk_tick": RefusalHelp(
        "the price is between two steps of the exchange", "`message` names the next ones"
    ),
    "risk_funds": RefusalHelp("neither money nor holdings suffice", "`check_funds`"),
}
"""By the ``reason`` of an ack whose status is ``refused``."""
