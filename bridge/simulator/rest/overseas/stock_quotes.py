"""The REST calls about stocks overseas: prices and days of settlement (pure)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from bridge.simulator.off_book.dates import next_weekday
from bridge.simulator.off_book.listings import LISTED
from bridge.simulator.off_book.rates import won_rate
from bridge.simulator.off_book.terms import CURRENCIES
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.names import EXCHANGES
from bridge.simulator.rest.overseas.pages import OverseasDesk, day_of
from bridge.simulator.rest.overseas.quotes import quote
from bridge.simulator.rest.overseas.settlement import settlement_day, trades
from bridge.simulator.rest.params import Params

__all__ = ["OverseasStockQuotes"]

_QUOTED = {names.quoted: exchange for exchange, names in EXCHANGES.items()} | {
    "BAQ": "NASD",
    "BAY": "NYSE",
    "BAA": "AMEX",
}
"""Name of an exchange in calls for prices → in calls of accounts; the last are of the daytime."""
_CENT = Decimal("0.01")


class OverseasStockQuotes(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_stock/multprice": self._several,
            "overseas_stock/countries_holiday": self._settlement,
        }

    def _several(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        asked = [
            (params.get(f"EXCD_{place:02d}", ""), params.get(f"SYMB_{place:02d}", ""))
            for place in range(1, 11)
        ]
        rows = [self._quote(place, symbol, now) for place, symbol in asked if symbol]
        return self.quoted(
            "overseas_stock/multprice", {"output": {"nrec": str(len(rows))}, "output2": rows}
        )

    def _quote(self, place: str, symbol: str, now: datetime) -> Row:
        """Return everything that some call tells of a stock's price, under KIS's names."""
        exchange = _QUOTED.get(place, LISTED.get(symbol, "NASD"))
        currency, digits = CURRENCIES[exchange], 4
        seen = quote(self.off_book, symbol, _CENT, now)
        (ask, asked), (bid, wanted) = seen.asks[0], seen.bids[0]
        draw = Random(f"shares {self.off_book.seed} {symbol}")  # noqa: S311 - no secret
        shares = draw.randrange(50_000_000, 16_000_000_000)
        earned = (seen.base / Decimal(draw.randrange(80, 400)) * 10).quantize(_CENT) or _CENT
        book = (seen.base / Decimal(draw.randrange(10, 90)) * 10).quantize(_CENT) or _CENT
        rate = won_rate(self.off_book.seed, currency, now.date())
        before = won_rate(self.off_book.seed, currency, now.date() - timedelta(days=1))
        diff = seen.price - seen.base

        def price(value: Decimal) -> str:
            return f"{value:.{digits}f}"

        names = EXCHANGES[exchange]
        return {
            "rsym": f"D{place}{symbol}",
            "excd": place,
            "symb": symbol,
            "knam": symbol,
            "exnm": names.name,
            "nnam": names.country_name,
            "zdiv": f"{digits}",
            "curr": currency,
            "base": price(seen.base),
            "last": price(seen.price),
            "open": price(seen.open),
            "high": price(seen.high),
            "low": price(seen.low),
            "sign": seen.sign,
            "diff": price(abs(diff)),
            "rate": f"{seen.rate:+.2f}" if diff else "0.00",
            "pvol": str(seen.previous_volume),
            "tvol": str(seen.volume),
            "tamt": str(seen.value),
            "pamt": f"{seen.previous_volume * seen.base:.0f}",
            "ordy": "매도불가" if self._stopped(symbol) else "매매 가능",
            "e_ordyn": "매도불가" if self._stopped(symbol) else "매매 가능",
            "pbid": price(bid),
            "vbid": str(wanted),
            "pask": price(ask),
            "vask": str(asked),
            "shar": str(shares),
            "mcap": f"{shares * _CENT:.0f}",
            "tomv": f"{shares * seen.price:.0f}",
            "perx": f"{seen.price / earned:.2f}",
            "pbrx": f"{seen.price / book:.2f}",
            "epsx": f"{earned:.2f}",
            "bpsx": f"{book:.2f}",
            "vnit": "1",
            "bnit": "1",
            "t_xprc": f"{seen.price * rate:.0f}",
            "t_xdif": f"{abs(seen.price * rate - seen.base * before):.0f}",
            "t_xrat": f"{(seen.price * rate / (seen.base * before) - 1) * 100:+.2f}",
            "p_xprc": f"{seen.base * before:.0f}",
            "t_rate": f"{rate:.2f}",
            "p_rate": f"{before:.2f}",
            "t_xsgn": "2" if seen.price * rate > seen.base * before else "5",
            "e_hogau": "0.0100",
            "e_parp": "0.01",
        }

    def _stopped(self, symbol: str) -> bool:
        return symbol in self.off_book.halts.halted

    def _settlement(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        """Tell when trades of a day are settled, of every exchange that trades on it."""
        day, hours = day_of(params, "TRAD_DT"), self.off_book.hours
        rows: list[Row] = [
            {
                "prdt_type_cd": names.product,
                "tr_natn_cd": names.country,
                "tr_natn_name": names.country_name,
                "natn_eng_abrv_cd": names.country_code,
                "tr_mket_cd": names.market,
                "tr_mket_name": names.name,
                "acpl_sttl_dt": f"{settlement_day(hours, exchange, day):%Y%m%d}",
                "dmst_sttl_dt": f"{_after(settlement_day(hours, exchange, day)):%Y%m%d}",
            }
            for exchange, names in EXCHANGES.items()
            if trades(hours, exchange, day)
        ]
        return self.listed("overseas_stock/countries_holiday", "output", rows, params, cont)


def _after(day: date) -> date:
    """Return the day on which money that came overseas is there in Korea."""
    return next_weekday(day + timedelta(days=1))
