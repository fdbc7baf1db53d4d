"""One listed symbol as rows tell it, by KIS's names; read only as far as a row asks (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from bridge.simulator.board.finance import FinancialStatement
from bridge.simulator.board.flows import Flow, Lending
from bridge.simulator.board.past import Year
from bridge.simulator.board.quotes import Day, Quote
from bridge.simulator.exchange import listings, ticks
from bridge.simulator.exchange.securities import Security, security_of
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.desk import BoardDesk
from bridge.simulator.stream.records import rate, sign

__all__ = ["Stock", "change_values", "day_values", "stock_of"]


@dataclass(eq=False)
class Stock:
    """A symbol at a moment."""

    desk: BoardDesk
    security: Security
    now: datetime

    @property
    def symbol(self) -> str:
        return self.security.symbol

    @cached_property
    def quote(self) -> Quote:
        return self.desk.quotes.quote(self.symbol, self.now)

    @cached_property
    def year(self) -> FinancialStatement | None:
        """The last year whose statement is published; funds have none."""
        if self.security.kind != "stock":
            return None
        return next(iter(self.desk.finance.years(self.symbol, self.now.date())), None)

    @cached_property
    def investors(self) -> dict[str, Flow]:
        return self.desk.flows.investors(self.quote.listing, self.today)

    @cached_property
    def lending(self) -> Lending:
        return self.desk.flows.lending(self.quote.listing, self.today)

    @cached_property
    def today(self) -> Day:
        return self.quote.day(self.now.date())

    @cached_property
    def year_past(self) -> Year:
        """The 250 trading days before today."""
        return self.desk.past.year(self.symbol, self.now.date())

    @cached_property
    def highest(self) -> tuple[int, date]:
        """The highest price of a year, today included, and when it was."""
        past, quote = self.year_past, self.quote
        ahead = quote.high >= past.high
        return (quote.high, self.now.date()) if ahead else (past.high, past.high_on)

    @cached_property
    def lowest(self) -> tuple[int, date]:
        """The lowest price of a year, today included, and when it was."""
        past, quote = self.year_past, self.quote
        below = 0 < quote.low <= past.low
        return (quote.low, self.now.date()) if below else (past.low, past.low_on)

    def close_before(self, days: int) -> int:
        """Return the close so many trading days ago; 1: yesterday's."""
        if days <= 1:
            return self.quote.base
        return self.desk.past.closes(self.symbol, self.now.date(), days)[-1]

    def days(self, number: int) -> Sequence[Day]:
        """Return days, today first."""
        return self.desk.quotes.days(self.symbol, self.now, number)

    def days_until(self, last: date, number: int) -> list[Day]:
        """Return days until one, the latest first; the last may be today."""
        today = self.now.date()
        if last >= today:
            return list(self.days(number))
        before = self.desk.past.before(self.quote.listing, last + timedelta(days=1), number)
        return list(before)

    def sides(self, day: Day) -> tuple[int, int]:
        """Return what buyers and what sellers set off of a day's volume."""
        if day.date == self.now.date():
            return self.quote.bought, self.quote.sold
        return self.desk.flows.sides(self.quote.listing, day)

    def change_at(self, price: int) -> Row:
        """Return a price of today against yesterday's close."""
        return change_values(price, self.quote.base, self.quote.lower, self.quote.upper)

    @property
    def board_name(self) -> str:
        if "2001" in self.security.groups:
            return "KOSPI200"
        return "KOSPI" if self.security.board == "kospi" else "KOSDAQ"

    def price(self) -> Row:
        """Return what nearly every row has: who it is and how its day looks."""
        quote, listing = self.quote, self.quote.listing
        size = {"ask": quote.ask_size, "bid": quote.bid_size}
        return {
            "stck_shrn_iscd": listing.symbol,
            "mksc_shrn_iscd": listing.symbol,
            "hts_kor_isnm": listing.name,
            "rprs_mrkt_kor_name": self.board_name,
            "bstp_kor_isnm": self.security.sector.name,
            "iscd_stat_cls_code": "55",
            **change_values(quote.last, quote.base, quote.lower, quote.upper),
            "acml_vol": quote.volume,
            "acml_tr_pbmn": quote.value,
            "prdy_vol": listing.previous_volume,
            "prdy_vrss_vol": quote.volume - listing.previous_volume,
            "prdy_vrss_vol_rate": rate(quote.volume, listing.previous_volume),
            "stck_oprc": quote.open,
            "stck_hgpr": quote.high,
            "stck_lwpr": quote.low,
            "stck_mxpr": quote.upper,
            "stck_llam": quote.lower,
            "stck_sdpr": quote.base,
            "stck_prdy_clpr": quote.base,
            "askp": quote.ask,
            "bidp": quote.bid,
            "askp1": quote.ask,
            "bidp1": quote.bid,
            "askp_rsqn1": size["ask"],
            "bidp_rsqn1": size["bid"],
            "seln_rsqn": size["ask"],
            "shnu_rsqn": size["bid"],
            "total_askp_rsqn": quote.total_asks,
            "total_bidp_rsqn": quote.total_bids,
            "lstn_stcn": listing.shares,
            "stck_avls": quote.market_cap // 100_000_000,
            "hts_avls": quote.market_cap // 100_000_000,
            "vol_tnrt": rate(quote.volume, listing.shares),
            "tr_pbmn_tnrt": rate(quote.value, quote.market_cap),
            "wghn_avrg_stck_prc": f"{self.average:.2f}",
            "seln_cnqn": quote.sold,
            "shnu_cnqn": quote.bought,
            "seln_cnqn_smtn": quote.sold,
            "shnu_cnqn_smtn": quote.bought,
            "ntby_cnqn": quote.bought - quote.sold,
            "seln_cntg_csnu": quote.sells,
            "shnu_cntg_csnu": quote.buys,
            "tday_rltv": rate(quote.bought, quote.sold),
            "oprc_vrss_prpr": quote.last - quote.open,
            "oprc_vrss_prpr_sign": sign(quote.last, quote.open),
            "oprc_vrss_prpr_rate": rate(quote.last - quote.open, quote.open),
            "hgpr_vrss_prpr_rate": rate(quote.last - quote.high, quote.high),
            "lwpr_vrss_prpr_rate": rate(quote.last - quote.low, quote.low),
            "aspr_unit": ticks.tick(quote.last),
        }

    @property
    def average(self) -> float:
        """What a share cost on average today."""
        return self.quote.value / self.quote.volume if self.quote.volume else 0.0


def stock_of(desk: BoardDesk, symbol: str, now: datetime) -> Stock:
    """Return any symbol that the exchange could list, or raise :class:`OrderRefused`."""
    if not listings.plausible(symbol):
        raise OrderRefused("symbol")
    return Stock(desk, security_of(symbol), now)


def change_values(last: int, base: int, lower: int = 0, upper: int = 0) -> Row:
    """Return a price against the close before it."""
    return {
        "stck_prpr": last,
        "prdy_vrss": last - base,
        "prdy_vrss_sign": sign(last, base, lower, upper),
        "prdy_ctrt": rate(last - base, base),
    }


def day_values(day: Day, before: Day | None) -> Row:
    """Return a day against the one before it."""
    base = before.close if before else day.open
    return {
        "stck_bsop_date": f"{day.date:%Y%m%d}",
        "stck_clpr": day.close,
        **change_values(day.close, base),
        "acml_vol": day.volume,
        "acml_tr_pbmn": day.value,
        "stck_oprc": day.open,
        "stck_hgpr": day.high,
        "stck_lwpr": day.low,
    }
