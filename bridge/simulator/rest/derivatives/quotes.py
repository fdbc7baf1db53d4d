"""What a future or an option costs, and how that answers to its underlying (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bridge.catalog.model import Api
from bridge.simulator.derivatives import pricing
from bridge.simulator.derivatives.contracts import Contract, open_interest
from bridge.simulator.derivatives.pricing import Greeks
from bridge.simulator.off_book.closing import trading_day
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.reference import spot
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.derivatives.orders import price_limits
from bridge.simulator.rest.facts import Facts, OffBookFacts

__all__ = ["ContractQuote", "quote"]


@dataclass(frozen=True, slots=True)
class ContractQuote:
    """A contract at a moment."""

    contract: Contract
    facts: Facts
    spot: Decimal
    today: date
    interest: int
    """Open contracts."""
    volatility: float
    """The one that its price implies; of a price that implies none the underlying's own."""

    @property
    def days(self) -> int:
        return self.contract.days(self.today)

    @property
    def theory(self) -> Decimal:
        return pricing.fair_price(self.contract, self.spot, self.days)

    @property
    def greeks(self) -> Greeks:
        years = self.days / 365
        return pricing.greeks(self.contract, float(self.spot), years, self.volatility)

    @property
    def limits(self) -> tuple[Decimal, Decimal]:
        return price_limits(self.contract, self.facts.base)

    @property
    def ask(self) -> Decimal:
        return self.facts.price + self.contract.tick(self.facts.price)

    @property
    def bid(self) -> Decimal:
        tick = self.contract.tick(self.facts.price)
        return max(tick, self.facts.price - tick)

    def common(self, prefix: str) -> Row:
        """Return what KIS tells of futures and options alike, under names of either."""
        facts = self.facts
        lower, upper = self.limits
        row: Row = {
            "hts_kor_isnm": self.contract.name,
            f"{prefix}_shrn_iscd": self.contract.symbol,
            f"{prefix}_prpr": f"{facts.price:.2f}",
            f"{prefix}_prdy_vrss": f"{facts.price - facts.base:.2f}",
            "prdy_vrss_sign": facts.sign,
            f"{prefix}_prdy_ctrt": f"{facts.rate:.2f}",
            f"{prefix}_prdy_clpr": f"{facts.base:.2f}",
            f"{prefix}_sdpr": f"{facts.base:.2f}",
            "acml_vol": facts.volume,
            "acml_tr_pbmn": facts.value,
            "hts_otst_stpl_qty": self.interest,
            "otst_stpl_qty_icdc": self.interest // 50,
            f"{prefix}_oprc": f"{facts.open:.2f}",
            f"{prefix}_hgpr": f"{facts.high:.2f}",
            f"{prefix}_lwpr": f"{facts.low:.2f}",
            f"{prefix}_mxpr": f"{upper:.2f}",
            f"{prefix}_llam": f"{lower:.2f}",
            f"{prefix}_askp": f"{self.ask:.2f}",
            f"{prefix}_bidp": f"{self.bid:.2f}",
            "hts_thpr": f"{self.theory:.2f}",
            "dprt": f"{(facts.price / self.theory - 1) * 100:.2f}",
            "hts_rmnn_dynu": self.days,
            "hts_ints_vltl": f"{self.volatility * 100:.4f}",
            "hist_vltl": f"{self.contract.product.underlying.volatility * 100:.4f}",
            # No auction is on: what would trade is what has traded.
            "futs_antc_cnpr": f"{facts.price:.2f}",
            "futs_antc_cntg_vrss": f"{facts.price - facts.base:.2f}",
            "antc_cntg_vrss_sign": facts.sign,
            "antc_cntg_prdy_ctrt": f"{facts.rate:.2f}",
        }
        said = self.greeks
        return row | {
            "delta_val": f"{said.delta:.4f}",
            "gama": f"{said.gamma:.4f}",
            "theta": f"{said.theta:.4f}",
            "vega": f"{said.vega:.4f}",
            "rho": f"{said.rho:.4f}",
        }

    def option(self) -> Row:
        """Return what is told of options alone."""
        one, price = self.contract, self.facts.price
        inner = one.intrinsic(self.spot)
        middle = round(self.spot / one.product.strike_step) * one.product.strike_step
        near = "ATM" if one.strike == middle else "ITM" if inner > 0 else "OTM"
        return {
            "acpr": f"{one.strike:.2f}",
            "unch_prpr": f"{price * one.product.multiplier:.2f}",
            "tmvl_val": f"{max(Decimal(0), price - inner):.2f}",
            "invl_val": f"{inner:.2f}",
            "nmix_sdpr": f"{self.spot:.2f}",
            "atm_cls_name": near,
            "esdg": f"{price - self.theory:.4f}",
        }


def quote(off_book: OffBook, api: Api, one: Contract, now: datetime) -> ContractQuote | None:
    """Return a contract as it stands; None while nothing is known of it."""
    today, facts = trading_day(now), OffBookFacts(off_book).facts(api, one.symbol, now)
    if facts is None:
        return None
    about = spot(one.product, today, off_book)
    wide = one.product.underlying.volatility
    if one.option:
        years = one.days(today) / 365
        wide = pricing.implied(one, float(facts.price), float(about), years) or wide
    return ContractQuote(one, facts, about, today, open_interest(one), wide)
