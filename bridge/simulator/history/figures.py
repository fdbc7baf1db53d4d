"""What is known of a symbol and of a bar by the English paths of the workbook (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.history.bars import Bar
from bridge.simulator.history.tapes import Tape

__all__ = ["Figure", "changes", "of_bar", "of_market", "of_tape", "percent", "sign_of"]

Figure = Decimal | int | str


def sign_of(price: Decimal, base: Decimal) -> str:
    """Return KIS's sign code: 2 up, 3 as before, 5 down."""
    return "3" if price == base else "2" if price > base else "5"


def percent(part: Decimal | int, whole: Decimal | int) -> Decimal:
    """Return a part in percent with two decimals; 0 of nothing."""
    return (Decimal(part) * 100 / whole).quantize(Decimal("0.01")) if whole else Decimal("0.00")


def changes(price: Decimal, base: Decimal, prefix: str = "") -> dict[str, Figure]:
    """Return how a price differs from another one."""
    return {
        f"{prefix}change": price - base,
        f"{prefix}change_sign": sign_of(price, base),
        f"{prefix}change_rate": percent(price - base, base),
    }


def of_bar(bar: Bar, before: Decimal) -> dict[str, Figure]:
    """Return the figures of a bar whose price was ``before`` when it began."""
    figures: dict[str, Figure] = {
        "date": f"{bar.day:%Y%m%d}",
        "local_date": f"{bar.day:%Y%m%d}",
        "time": f"{bar.start:%H%M%S}",
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "price": bar.close,
        "quantity": bar.volume,
        "value": bar.value,
        "cumulative_volume": bar.volume,
        "cumulative_value": bar.value,
    }
    return figures | changes(bar.close, before)


def of_market(market: Market) -> Mapping[str, Figure]:
    """Return the figures of a symbol that has an order book."""
    listing, price = market.listing, Decimal(market.last)
    base, book = Decimal(listing.base), market.book
    return {
        "symbol": market.symbol,
        "name": listing.name,
        "price": price,
        "tick": ticks.tick(market.last),
        "previous_close": base,
        "base_price": base,
        "open": market.open,
        "high": market.high,
        "low": market.low,
        "quantity": market.latest.quantity if market.latest else 0,
        "cumulative_volume": market.volume,
        "cumulative_value": market.value,
        "previous_volume": listing.previous_volume,
        "volume_rate": percent(market.volume, listing.previous_volume),
        "volume_change": market.volume - listing.previous_volume,
        "turnover_rate": percent(market.volume, listing.shares),
        "trade_strength": percent(market.bought, market.sold),
        "buy_volume": market.bought,
        "sell_volume": market.sold,
        "buy_rate": percent(market.bought, market.volume),
        "ask": book.best(Side.SELL),
        "bid": book.best(Side.BUY),
        "upper_limit": market.upper,
        "lower_limit": market.lower,
        "listed_shares": listing.shares,
        "market_cap": market.last * listing.shares // 100_000_000,
        **changes(price, base),
        **_from_points(price, market.open, market.high, market.low),
    }


def of_tape(tape: Tape) -> Mapping[str, Figure]:
    """Return the figures of a symbol now."""
    one, price = tape.instrument, tape.last
    lower, upper = one.limits(one.units(tape.base))
    return {
        "symbol": one.symbol,
        "price": price,
        "tick": one.unit,
        "previous_close": tape.base,
        "base_price": tape.base,
        "previous_settlement": tape.base,
        "open": tape.open,
        "high": tape.high,
        "low": tape.low,
        "quantity": tape.quantity,
        "cumulative_volume": tape.volume,
        "cumulative_value": tape.value,
        "previous_volume": one.volume,
        "volume_rate": percent(tape.volume, one.volume),
        "trade_strength": percent(tape.bought, tape.sold),
        "buy_volume": tape.bought,
        "sell_volume": tape.sold,
        "buy_rate": percent(tape.bought, tape.volume),
        "ask": price + one.unit,
        "bid": max(one.unit, price - one.unit),
        "upper_limit": upper * one.unit,
        "lower_limit": lower * one.unit,
        **changes(price, tape.base),
        **changes(price, tape.base, "settlement_"),
        **_from_points(price, tape.open, tape.high, tape.low),
    }


def _from_points(
    price: Decimal, opened: Decimal | int, high: Decimal | int, low: Decimal | int
) -> dict[str, Figure]:
    """Return how the price differs from the points of its day."""
    points = {"open_": opened, "high_": high, "low_": low}
    return {
        path: figure
        for prefix, point in points.items()
        for path, figure in changes(price, Decimal(point), prefix).items()
    }
