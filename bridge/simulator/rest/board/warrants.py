"""Warrants as rows tell them, and how they moved (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial
from itertools import pairwise
from random import Random

from bridge.simulator.board.quotes import Day, Quote
from bridge.simulator.derivatives import pricing
from bridge.simulator.exchange.listings import listing
from bridge.simulator.exchange.warrants import StockRight, Warrant, find_warrant
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling
from bridge.simulator.rest.board.stocks import Stock, change_values, stock_of
from bridge.simulator.rest.params import Params
from bridge.simulator.stream.records import MEMBERS, rate, sign

__all__ = ["ListedWarrant", "WarrantView", "price_row", "warrant_of", "warrants"]

_DAYS = 30
_WINDOWS = (10, 20, 30, 60, 90)


@dataclass(eq=False)
class WarrantView:
    """A warrant at a price, with its stock at one: now, or on a day before."""

    desk: BoardDesk
    warrant: Warrant
    price: float
    spot: float
    on: date

    @property
    def symbol(self) -> str:
        return self.warrant.symbol

    @cached_property
    def listed(self) -> int:
        """What the stock cost when the warrant was listed."""
        return listing(self.warrant.underlying, self.desk.settings.seed).base

    @cached_property
    def right(self) -> StockRight:
        return self.warrant.right(self.listed)

    @property
    def strike(self) -> int:
        return int(self.right.strike)

    @property
    def ratio(self) -> float:
        return self.warrant.ratio(self.listed)

    @property
    def expires(self) -> date:
        return self.warrant.expires(self.on)

    @property
    def days_left(self) -> int:
        return max(0, (self.expires - self.on).days)

    @property
    def years(self) -> float:
        return self.days_left / 365

    @cached_property
    def volatility(self) -> float:
        """The stock's of the last 90 days, which the theory takes."""
        return max(0.01, self.history(90))

    @cached_property
    def theory(self) -> float:
        """What one warrant is worth."""
        return pricing.value(self.right, self.spot, self.years, self.volatility) * self.ratio

    @cached_property
    def greeks(self) -> pricing.Greeks:
        return pricing.greeks(self.right, self.spot, self.years, self.volatility)

    @cached_property
    def implied(self) -> float:
        return pricing.implied(self.right, self.price / self.ratio, self.spot, self.years)

    def history(self, number: int) -> float:
        """Return the stock's volatility of a year, by so many days before."""
        return self.desk.past.volatility(self.warrant.underlying, self.on, number)

    @property
    def inner(self) -> float:
        """What it would bring if it were used now."""
        return float(self.right.intrinsic(Decimal(str(self.spot)))) * self.ratio

    @cached_property
    def values(self) -> Row:
        """Return everything that follows from the two prices."""
        call, greeks, ratio = self.warrant.call, self.greeks, self.ratio
        theory = self.theory
        even = self.strike + (1 if call else -1) * self.price / ratio
        gear = self.spot * ratio / self.price if self.price else 0.0
        parity = (self.spot / self.strike if call else self.strike / self.spot) * 100
        near = abs(self.spot / self.strike - 1) < 0.02
        paid = self.spot - self.price / ratio
        fulcrum = 0.0
        if call and paid > 0 and self.years:
            fulcrum = ((self.strike / paid) ** (1 / self.years) - 1) * 100
        return {
            "hts_thpr": f"{theory:.2f}",
            "dprt": rate(self.price - theory, theory),
            "delta_val": f"{greeks.delta:.6f}",
            "gama": f"{greeks.gamma:.6f}",
            "theta": f"{greeks.theta * ratio:.6f}",
            "vega": f"{greeks.vega * ratio:.6f}",
            "rho": f"{greeks.rho * ratio:.6f}",
            "hts_ints_vltl": f"{self.implied * 100:.2f}",
            "hist_vltl": f"{self.volatility * 100:.2f}",
            "d90_hist_vltl": f"{self.volatility * 100:.2f}",
            "invl_val": f"{self.inner:.2f}",
            "tmvl_val": f"{self.price - self.inner:.2f}",
            "gear": f"{gear:.2f}",
            "lvrg_val": f"{gear * greeks.delta:.2f}",
            "prit": f"{parity:.2f}",
            "moneyness": f"{parity:.2f}",
            "atm_cls_name": "ATM" if near else "ITM" if parity > 100 else "OTM",
            "prls_qryr_stpr_prc": f"{even:.2f}",
            "prls_qryr_rate": rate(even - self.spot, self.spot),
            "prmm_val": rate(even - self.spot, self.spot),
            "cfp": f"{fulcrum:.2f}",
            "acpr": f"{self.strike:.2f}",
            "stck_cnvr_rate": f"{ratio:.4f}",
            "hts_rmnn_dynu": self.days_left,
            "apprch_rate": "0.00",
            "elw_ko_barrier": "0.00",
            "tick_conv_prc": f"{self.spot * ratio:.2f}",
        }


@dataclass(eq=False)
class ListedWarrant(WarrantView):
    """One as it is traded now."""

    quote: Quote
    stock: Stock

    def held(self) -> int:
        """Return how many of them whoever makes the market still has."""
        draw = Random(f"held {self.desk.settings.seed} {self.symbol}")  # noqa: S311 - no secret
        return int(self.quote.listing.shares * draw.uniform(0.3, 0.95))

    def row(self) -> Row:
        """Return all that is known."""
        quote, stock, shares = self.quote, self.stock.quote, self.quote.listing.shares
        issuer = MEMBERS[int(self.symbol[-3:]) % len(MEMBERS)][0]
        right = "콜" if self.warrant.call else "풋"
        held = self.held()
        plain = price_row(quote)
        return {
            **plain,
            **self.values,
            "unas_shrn_iscd": stock.symbol,
            "unas_isnm": stock.listing.name,
            "unas_prpr": f"{stock.last:.2f}",
            "unas_prdy_vrss": f"{stock.change:.2f}",
            "unas_prdy_vrss_sign": sign(stock.last, stock.base),
            "unas_prdy_ctrt": rate(stock.change, stock.base),
            "unas_acml_vol": stock.volume,
            "pblc_co_name": issuer,
            "lp_mbcr_name": issuer,
            "lp_hvol": held,
            "lp_rlim": rate(held, shares),
            "lp_hldn_rate": rate(held, shares),
            "lp_ntby_qty": quote.bought - quote.sold,
            "rght_type_name": right,
            "elw_rght_form": "일반",
            "stck_lstn_date": f"{self.warrant.listed_on(self.on):%Y%m%d}",
            "stck_last_tr_date": f"{self.expires:%Y%m%d}",
            "mtrt_date": f"{self.expires + timedelta(days=2):%Y%m%d}",
            "stck_lp_fin_date": f"{self.expires:%Y%m%d}",
            "evnt_prd_fin_date": f"{self.expires:%Y%m%d}",
            "stlm_date": f"{self.expires + timedelta(days=2):%Y%m%d}",
            "pblc_prc": quote.base,
            "invt_epmd_cntt": "모의 종목",
        }


def price_row(quote: Quote) -> Row:
    """Return the price of a warrant under its own names."""
    net = quote.total_bids - quote.total_asks
    before, average = quote.listing.previous_volume, quote.listing.base
    return {
        **change_values(quote.last, quote.base),
        "elw_shrn_iscd": quote.symbol,
        "bond_shrn_iscd": quote.symbol,
        "hts_kor_isnm": quote.listing.name,
        "elw_kor_isnm": quote.listing.name,
        "elw_prpr": quote.last,
        "elw_oprc": quote.open,
        "elw_hgpr": quote.high,
        "elw_lwpr": quote.low,
        "elw_sdpr": quote.base,
        "stck_sdpr": quote.base,
        "stck_prdy_clpr": quote.base,
        "stck_oprc": quote.open,
        "stck_hgpr": quote.high,
        "stck_lwpr": quote.low,
        "sdpr_vrss_prpr": quote.change,
        "sdpr_vrss_prpr_sign": sign(quote.last, quote.base),
        "sdpr_vrss_prpr_rate": rate(quote.change, quote.base),
        "oprc_vrss_prpr": quote.last - quote.open,
        "oprc_vrss_prpr_sign": sign(quote.last, quote.open),
        "oprc_vrss_prpr_rate": rate(quote.last - quote.open, quote.open),
        "prd_rsfl": quote.change,
        "prd_rsfl_sign": sign(quote.last, quote.base),
        "prd_rsfl_rate": rate(quote.change, quote.base),
        "acml_vol": quote.volume,
        "acml_tr_pbmn": quote.value,
        "prdy_vol": before,
        "n_prdy_vol": before,
        "n_prdy_vol_vrss": quote.volume - before,
        "n_prdy_tr_pbmn": before * average,
        "n_prdy_tr_pbmn_vrss": quote.value - before * average,
        "prdy_vrss_vol_rate": rate(quote.volume, before),
        "vol_inrt": rate(quote.volume - before, before),
        "vol_tnrt": rate(quote.volume, quote.listing.shares),
        "nday_vol_tnrt": rate(quote.volume, quote.listing.shares),
        "lstn_stcn": quote.listing.shares,
        "askp": quote.ask,
        "bidp": quote.bid,
        "total_askp_rsqn": quote.total_asks,
        "total_bidp_rsqn": quote.total_bids,
        "ntby_rsqn": max(0, net),
        "ntsl_rsqn": max(0, -net),
        "shnu_rsqn_rate": rate(quote.total_bids, quote.total_asks),
        "seln_rsqn_rate": rate(quote.total_asks, quote.total_bids),
        "stnd_val": f"{quote.base:.2f}",
        "stnd_val_vrss": quote.change,
        "stnd_val_ctrt": rate(quote.change, quote.base),
    }


def warrant_of(desk: BoardDesk, warrant: Warrant, now: datetime) -> ListedWarrant:
    """Return a warrant as it is traded now."""
    quote, stock = desk.quotes.quote(warrant.symbol, now), stock_of(desk, warrant.underlying, now)
    return ListedWarrant(desk, warrant, quote.last, stock.quote.last, now.date(), quote, stock)


def _asked(desk: BoardDesk, params: Params, now: datetime) -> ListedWarrant | None:
    """Return the warrant that a call names; KIS has nothing to tell of what is none."""
    warrant = find_warrant(params.get("FID_INPUT_ISCD", ""))
    return None if warrant is None else warrant_of(desk, warrant, now)


# -- one warrant, over days and minutes


def _by_day(one: ListedWarrant) -> list[Row]:
    """Return a warrant day by day, each with its stock's close of that day."""
    now = one.stock.now
    own = one.desk.quotes.days(one.symbol, now, _DAYS + 1)
    others = {day.date: day.close for day in one.stock.days(_DAYS + 1)}
    rows = []
    for day, before in pairwise(own):
        view = WarrantView(
            one.desk, one.warrant, day.close, others.get(day.date, one.spot), day.date
        )
        rows.append(
            {
                **_day_row(day, before),
                **view.values,
                **{
                    f"d{number}_hist_vltl": f"{view.history(number) * 100:.2f}"
                    for number in _WINDOWS
                },
            }
        )
    return rows


def _day_row(day: Day, before: Day) -> Row:
    return {
        **change_values(day.close, before.close),
        "stck_bsop_date": f"{day.date:%Y%m%d}",
        "elw_prpr": day.close,
        "elw_oprc": day.open,
        "elw_hgpr": day.high,
        "elw_lwpr": day.low,
        "acml_vol": day.volume,
    }


def _by_minute(one: ListedWarrant) -> list[Row]:
    now, rows = one.stock.now, []
    for minute in one.desk.quotes.minutes(one.symbol, now, _DAYS):
        view = WarrantView(one.desk, one.warrant, minute.close, one.spot, one.on)
        rows.append(
            {
                **change_values(minute.close, one.quote.base),
                **view.values,
                "stck_bsop_date": f"{minute.start:%Y%m%d}",
                "bsop_date": f"{minute.start:%Y%m%d}",
                "stck_cntg_hour": f"{minute.start:%H%M%S}",
                "elw_prpr": minute.close,
                "elw_oprc": minute.close,
                "elw_hgpr": minute.close,
                "elw_lwpr": minute.close,
                "askp": one.quote.ask,
                "bidp": one.quote.bid,
                "acml_vol": minute.volume,
                "cntg_vol": minute.quantity,
            }
        )
    return rows


def _days(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = _asked(desk, params, now)
    return {} if one is None else {"output": _by_day(one)}


def _minutes(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = _asked(desk, params, now)
    return {} if one is None else {"output": _by_minute(one)}


def _price(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = _asked(desk, params, now)
    if one is None:
        return {}
    quote = one.quote
    pivot = (quote.high + quote.low + quote.last) // 3
    levels = {
        "pvt_pont_val": f"{pivot:.2f}",
        "pvt_frst_dmrs_prc": 2 * pivot - quote.low,
        "pvt_scnd_dmrs_prc": pivot + quote.high - quote.low,
        "pvt_frst_dmsp_prc": 2 * pivot - quote.high,
        "pvt_scnd_dmsp_prc": pivot - quote.high + quote.low,
        "dmrs_val": f"{quote.high:.2f}",
        "dmsp_val": f"{quote.low:.2f}",
    }
    return {"output1": [{**one.row(), **levels}]}


def _maker(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return what whoever makes the market of a warrant traded: eight tenths of each day."""
    one = _asked(desk, params, now)
    if one is None:
        return {}
    held, shares, rows = one.held(), one.quote.listing.shares, []
    own: Sequence[Day] = desk.quotes.days(one.symbol, now, _DAYS + 1)
    for day, before in pairwise(own):
        bought, sold = (whole * 8 // 10 for whole in desk.flows.sides(one.quote.listing, day))
        average = f"{day.value / day.volume:.2f}" if day.volume else "0.00"
        rows.append(
            {
                **_day_row(day, before),
                "lp_seln_qty": sold,
                "lp_seln_avrg_unpr": average,
                "lp_shnu_qty": bought,
                "lp_shnu_avrg_unpr": average,
                "lp_hvol": held,
                "lp_hldn_rate": rate(held, shares),
                "prsn_deal_qty": day.volume - (bought + sold) // 2,
                "apprch_rate": "0.00",
            }
        )
        held = min(shares, max(0, held - bought + sold))
    return {"output1": one.row(), "output2": rows}


def warrants(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers the calls about one warrant."""
    days = ("indicator_trend_daily", "volatility_trend_daily", "sensitivity_trend_daily")
    minutes = (
        *("indicator_trend_minute", "indicator_trend_ccnl", "volatility_trend_minute"),
        *("volatility_trend_ccnl", "volatility_trend_tick", "sensitivity_trend_ccnl"),
    )
    return {
        **{f"elw/{name}": partial(_days, desk) for name in days},
        **{f"elw/{name}": partial(_minutes, desk) for name in minutes},
        "elw/lp_trade_trend": partial(_maker, desk),
        "domestic_stock/inquire_elw_price": partial(_price, desk),
    }
