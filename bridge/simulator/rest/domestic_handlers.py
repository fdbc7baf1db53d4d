"""The REST calls for domestic stocks: prices, what they are and when they trade (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bridge.catalog.model import Catalog
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.rest import statements
from bridge.simulator.rest.answers import Answer, Row, blank, done, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import (
    InputError,
    Params,
    text_of,
)
from bridge.simulator.settings import SimulatorSettings
from bridge.simulator.stream import records

__all__ = ["DomesticHandlers"]

_CATCH_UP = 20
"""Turns of the traders at most when somebody asks for a symbol that has stood still."""


class DomesticHandlers:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, exchange: Exchange, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._exchange, self._catalog, self._settings = exchange, catalog, settings

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_stock/inquire_price": self._price,
            "domestic_stock/inquire_asking_price_exp_ccn": self._asking_price,
            "domestic_stock/chk_holiday": self._holidays,
        }

    # -- quotations

    def _price(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        symbol = self._symbol(params)
        market = self._exchange.market(symbol, now)
        self._catch_up(symbol, now)
        values = statements.price(market, now) | statements.standing(symbol, self._exchange.halts)
        row = self._row("domestic_stock/inquire_price", "output", values)
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), {"output": row})

    def _asking_price(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        symbol = self._symbol(params)
        market = self._exchange.market(symbol, now)
        self._catch_up(symbol, now)
        book = {k.lower(): str(v) for k, v in records.quote(market, now).items()}
        first = book | {"aspr_acpt_hour": now.strftime("%H%M%S"), "new_mkop_cls_code": "20"}
        second = {
            "antc_mkop_cls_code": "311",
            "stck_prpr": str(market.last),
            "stck_oprc": str(market.open),
            "stck_hgpr": str(market.high),
            "stck_lwpr": str(market.low),
            "stck_sdpr": str(market.listing.base),
            "antc_cnpr": book["antc_cnpr"],
            "antc_cntg_vrss_sign": book["antc_cntg_vrss_sign"],
            "antc_cntg_vrss": book["antc_cntg_vrss"],
            "antc_cntg_prdy_ctrt": book["antc_cntg_prdy_ctrt"],
            "antc_vol": book["antc_vol"],
            "stck_shrn_iscd": symbol,
            "vi_cls_code": "Y" if symbol in self._exchange.halts.auctions else "N",
        }
        outputs = {"output1": first, "output2": second}
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), outputs)

    def _holidays(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        try:
            first = datetime.strptime(params.get("BASS_DT", ""), "%Y%m%d")  # noqa: DTZ007 - a date
        except ValueError as error:
            raise InputError("BASS_DT") from error
        rows = []
        for day in (first + timedelta(days=offset) for offset in range(24)):
            open_day = "Y" if self._exchange.timing.trades_on(day.date()) else "N"
            rows.append(
                {
                    "bass_dt": day.strftime("%Y%m%d"),
                    "wday_dvsn_cd": f"{(day.weekday() + 1) % 7 + 1:02d}",
                    "bzdy_yn": open_day,
                    "tr_day_yn": open_day,
                    "opnd_yn": open_day,
                    "sttl_day_yn": open_day,
                }
            )
        outputs = {"ctx_area_nk": " " * 20, "ctx_area_fk": " " * 20, "output": rows}
        return done(self._settings.environment, outputs, "D")

    # -- inside

    def _catch_up(self, symbol: str, now: datetime) -> None:
        """Let a market that nobody watches live through the time since its last trade."""
        latest = self._exchange.market(symbol, now).latest
        if self._settings.manual or latest is None:
            return
        for _ in range(min(_CATCH_UP, int((now - latest.at).total_seconds() * 4))):
            self._exchange.act(symbol, now)

    def _symbol(self, params: Params) -> str:
        if params.get("FID_COND_MRKT_DIV_CODE") not in ("J", "NX", "UN"):
            raise InputError("FID_COND_MRKT_DIV_CODE")
        return text_of(params, "FID_INPUT_ISCD")

    def _row(self, api: str, block: str, values: Mapping[str, object]) -> Row:
        """Return a row with every field that the catalog names, blank where we know nothing."""
        row = blank(self._catalog.apis.get(api), block)
        return row | {name: str(value) for name, value in values.items()}
