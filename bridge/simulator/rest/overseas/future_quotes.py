"""The REST calls about contracts overseas: prices, books, terms and hours (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

from bridge.simulator.derivatives.overseas import OVERSEAS, OverseasContract, overseas_contract
from bridge.simulator.off_book.dates import business_date
from bridge.simulator.off_book.tickets import OffBookMarket
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.pages import OverseasDesk
from bridge.simulator.rest.overseas.quotes import OverseasQuote, quote
from bridge.simulator.rest.params import InputError, Params

__all__ = ["OverseasFutureQuotes"]

_MARKET: OffBookMarket = "overseas_derivative"
_CLASSES = {
    "001": "통화",
    "002": "금리",
    "003": "지수",
    "004": "농산물",
    "006": "금속",
    "007": "에너지",
}
_ASKED = re.compile(r"SRS_CD_[0-9]{2}")
_LISTED_BEFORE = timedelta(days=2 * 365)
_OPENS, _CLOSES = "070000", "060000"
"""Korean winter time of the exchanges in Chicago, which all contracts here keep."""


class OverseasFutureQuotes(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        name = "overseas_futureoption/"
        return {
            f"{name}inquire_price": self._price,
            f"{name}opt_price": self._option_price,
            f"{name}inquire_asking_price": self._book,
            f"{name}opt_asking_price": self._option_book,
            f"{name}stock_detail": self._detail,
            f"{name}opt_detail": self._option_detail,
            f"{name}search_contract_detail": self._details,
            f"{name}search_opt_detail": self._option_details,
            f"{name}market_time": self._hours,
        }

    def _price(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        one = _contract(params, option=False)
        return self.quoted("overseas_futureoption/inquire_price", {"output1": self._told(one, now)})

    def _option_price(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        one = _contract(params, option=True)
        return self.quoted("overseas_futureoption/opt_price", {"output1": self._told(one, now)})

    def _book(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        one = _contract(params, option=False)
        return self._levels("overseas_futureoption/inquire_asking_price", one, now)

    def _option_book(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        one = _contract(params, option=True)
        return self._levels("overseas_futureoption/opt_asking_price", one, now)

    def _detail(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        row = self._terms(_contract(params, option=False), now)
        return self.quoted("overseas_futureoption/stock_detail", {"output1": row})

    def _option_detail(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        row = self._terms(_contract(params, option=True), now)
        return self.quoted("overseas_futureoption/opt_detail", {"output1": row})

    def _details(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        rows = [self._terms(one, now) for one in _asked(params, option=False)]
        return self.quoted("overseas_futureoption/search_contract_detail", {"output2": rows})

    def _option_details(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        rows = [self._terms(one, now) for one in _asked(params, option=True)]
        return self.quoted("overseas_futureoption/search_opt_detail", {"output2": rows})

    def _hours(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        group, exchange = params.get("FM_PDGR_CD", ""), params.get("FM_EXCG_CD", "").upper()
        kind, option = params.get("FM_CLAS_CD", ""), params.get("OPT_YN", "")
        rows: list[Row] = [
            {
                "fm_pdgr_cd": one.root,
                "fm_pdgr_name": one.name,
                "fm_excg_cd": one.exchange,
                "fm_excg_name": one.exchange,
                "fuop_dvsn_name": "옵션" if of_options else "선물",
                "fm_clas_cd": one.group,
                "fm_clas_name": _CLASSES[one.group],
                "am_mkmn_strt_tmd": _OPENS,
                "am_mkmn_end_tmd": "235959",
                "mkmn_nxdy_strt_tmd": "000000",
                "mkmn_nxdy_end_tmd": _CLOSES,
                "base_mket_strt_tmd": _OPENS,
                "base_mket_end_tmd": _CLOSES,
            }
            for one in OVERSEAS.values()
            for of_options in (False, True)
            if group in ("", "%", one.root)
            and exchange in ("", "%", one.exchange)
            and kind in ("", "%", one.group)
            and (option not in ("Y", "N") or of_options is (option == "Y"))
        ]
        return self.listed("overseas_futureoption/market_time", "output", rows, params, cont)

    def _quote(self, one: OverseasContract, now: datetime) -> OverseasQuote:
        return quote(self.off_book, one.symbol, one.product.tick, now)

    def _told(self, one: OverseasContract, now: datetime) -> Row:
        """Tell a contract's price with its terms."""
        seen, digits = self._quote(one, now), one.product.decimals
        (ask, asked), (bid, wanted) = seen.asks[0], seen.bids[0]

        def price(value: Decimal) -> str:
            return f"{value:.{digits}f}"

        day = f"{business_date(_MARKET, one.product.exchange, now):%Y%m%d}"
        return self._terms(one, now) | {
            "proc_date": f"{now:%Y%m%d}",
            "proc_time": f"{now:%H%M%S}",
            "open_price": price(seen.open),
            "high_price": price(seen.high),
            "low_price": price(seen.low),
            "lowp_rice": price(seen.low),
            "last_price": price(seen.price),
            "prev_price": price(seen.base),
            "sttl_price": price(seen.base),
            "vol": str(seen.volume),
            "prev_diff_flag": seen.sign,
            "prev_diff_price": price(seen.price - seen.base),
            "prev_diff_rate": f"{seen.rate:.2f}",
            "bid_qntt": str(wanted),
            "bid_price": price(bid),
            "ask_qntt": str(asked),
            "ask_price": price(ask),
            "last_qntt": "1",
            "tot_ask_qntt": str(sum(size for _, size in seen.asks)),
            "tot_bid_qntt": str(sum(size for _, size in seen.bids)),
            "tick_size": price(one.product.tick),
            "open_date": day,
            "open_time": _OPENS,
            "close_date": day,
            "close_time": _CLOSES,
            "sbsnsdate": day,
            "quot_date": f"{now:%Y%m%d}",
            "quot_time": f"{now:%H%M%S}",
        }

    def _levels(self, api: str, one: OverseasContract, now: datetime) -> Answer:
        seen, digits = self._quote(one, now), one.product.decimals
        levels = zip(seen.asks, seen.bids, strict=True)
        rows = [
            {
                "bid_qntt": str(wanted),
                "bid_num": str(place),
                "bid_price": f"{bid:.{digits}f}",
                "ask_qntt": str(asked),
                "ask_num": str(place),
                "ask_price": f"{ask:.{digits}f}",
            }
            for place, ((ask, asked), (bid, wanted)) in enumerate(levels, 1)
        ]
        return self.quoted(api, {"output1": self._told(one, now), "output2": rows})

    def _terms(self, one: OverseasContract, now: datetime) -> Row:
        product, day = one.product, business_date(_MARKET, one.product.exchange, now)
        margin = product.about * product.point * product.margin
        ends = f"{one.expires:%Y%m%d}"
        return {
            "exch_cd": product.exchange,
            "clas_cd": product.group,
            "crc_cd": product.currency,
            "sttl_price": f"{self.off_book.base(one.symbol):.{product.decimals}f}",
            "sttl_date": f"{_before(day):%Y%m%d}",
            "trst_mgn": f"{margin:.2f}",
            "disp_digit": "10",
            "tick_sz": f"{product.tick:.{product.decimals}f}",
            "tick_val": f"{product.tick * product.point:.4f}",
            "mrkt_open_date": f"{day:%Y%m%d}",
            "mrkt_open_time": _OPENS,
            "mrkt_close_date": f"{day + timedelta(days=1):%Y%m%d}",
            "mrkt_close_time": _CLOSES,
            "trd_fr_date": f"{one.expires - _LISTED_BEFORE:%Y%m%d}",
            "expr_date": ends,
            "trd_to_date": ends,
            "remn_cnt": str(max(0, (one.expires - day).days)),
            "stat_tp": "1" if day <= one.expires else "0",
            "ctrt_size": f"{product.point:.4f}",
            "stl_tp": "1",
            "prev_price": f"{self.off_book.base(one.symbol):.{product.decimals}f}",
            "sub_exch_nm": product.exchange,
        }


def _before(day: date) -> date:
    """Return the weekday before one."""
    return day - timedelta(days=3 if day.weekday() == 0 else 1)


def _contract(params: Params, *, option: bool) -> OverseasContract:
    found = overseas_contract(params.get("SRS_CD", ""))
    if found is None or found.option is not option:
        raise InputError("SRS_CD")
    return found


def _asked(params: Params, *, option: bool) -> Iterator[OverseasContract]:
    """Yield the contracts that a list asks for; what is none is left out."""
    names = sorted(name for name in params if _ASKED.fullmatch(name))
    for name in names[: _count(params)]:
        found = overseas_contract(params[name])
        if found is not None and found.option is option:
            yield found


def _count(params: Params) -> int:
    text = params.get("QRY_CNT", "")
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise InputError("QRY_CNT")
    return int(text)
