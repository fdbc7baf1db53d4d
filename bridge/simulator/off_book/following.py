"""Futures and options on an index go where it goes (pure)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from bridge.simulator.derivatives import pricing
from bridge.simulator.derivatives.contracts import Contract, contract
from bridge.simulator.history.tapes import Tape
from bridge.simulator.off_book.reference import PricedMarket, index_of

__all__ = ["Following"]

_FORGETS = 0.98
"""What is left, a turn later, of what somebody has moved a price away by."""
_BEAT = timedelta(seconds=0.1)
"""How often contracts make their index move where nobody watches it."""
_MOST = 400
"""Contracts of a trade."""
_SYMBOLS = 2_000
"""That are remembered."""


@dataclass(slots=True)
class Following:
    """What each contract cost last, and by how much that was not its theoretical price."""

    _seen: OrderedDict[str, tuple[Decimal, float]] = field(default_factory=OrderedDict)

    def begin(self, symbol: str, price: Decimal) -> None:
        """Note what a contract is listed at, which is its theoretical price."""
        self._note(symbol, price, 0.0)

    def lead(self, tape: Tape, market: PricedMarket, now: datetime) -> Decimal | None:
        """Let a contract trade once where its index leads it; None: it goes its own way."""
        one = contract(tape.instrument.symbol, now.date())
        if one is None or one.product.board != "index":
            return None
        index = index_of(one.product, market)
        if index.latest is None or now - index.latest >= _BEAT:
            index.turn(now)
        price = self.price(one, tape.read(now).last, index.last, now.date())
        tape.print(price, tape.random.randrange(1, _MOST), now)
        return price

    def price(self, one: Contract, last: Decimal, index: Decimal, today: date) -> Decimal:
        """Return what a contract costs now that its index is there.

        Whoever sets a price moves it away from theory; it comes back little by little.
        """
        wide = one.product.underlying.volatility
        theory = pricing.value(one, float(index), one.days(today) / 365, wide)
        before, apart = self._seen.pop(one.symbol, (None, 0.0))
        apart = apart * _FORGETS if before == last else float(last) - theory
        price = pricing.on_tick(one, theory + apart)
        self._note(one.symbol, price, apart)
        return price

    def _note(self, symbol: str, price: Decimal, apart: float) -> None:
        self._seen[symbol] = price, apart
        if len(self._seen) > _SYMBOLS:
            self._seen.popitem(last=False)
