"""What a stock abroad is told with: the same firm as in rankings and lists (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from bridge.simulator.history.abroad import EXCHANGES, INDUSTRIES, ForeignFirm, find_abroad
from bridge.simulator.off_book.rates import won_rate
from bridge.simulator.rest.board.abroad import ForeignStock
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling
from bridge.simulator.rest.params import Params
from bridge.simulator.stream.records import rate, sign

__all__ = ["overviews_abroad"]

_YEAR = 250
_SAME = {"BAQ": "NAS", "BAY": "NYS", "BAA": "AMS", "SHI": "SHS", "SZI": "SZS"}
"""Names under which KIS has an exchange a second time."""


def _stock(desk: BoardDesk, symbol: str, exchange: str, now: datetime) -> ForeignStock | None:
    exchange = _SAME.get(exchange, exchange)
    if exchange not in EXCHANGES or not symbol:
        return None
    found = find_abroad(symbol)
    unlisted = ForeignFirm(exchange, symbol, f"모의{symbol}", f"SIMULATED {symbol}", "010")
    return ForeignStock(desk, found or unlisted, now)


def _detail(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return price, measures, the extremes of a year and the price in won."""
    one = _stock(desk, params.get("SYMB", ""), params.get("EXCD", ""), now)
    if one is None:
        return {}
    tape, exchange, bars = one.tape, EXCHANGES[one.firm.exchange], one.before(_YEAR)
    high = max(bars, key=lambda bar: bar.high, default=None)
    low = min(bars, key=lambda bar: bar.low, default=None)
    top = (high.high, high.day) if high and high.high > tape.high else (tape.high, one.today)
    bottom = (low.low, low.day) if low and low.low < tape.low else (tape.low, one.today)
    book = one.earnings * 9
    won, before = (
        won_rate(desk.settings.seed, exchange.currency, day)
        for day in (now.date(), now.date() - timedelta(days=1))
    )
    last, base = tape.last * won, tape.base * before
    industry = next(name for code, name, _ in INDUSTRIES if code == one.firm.industry)
    row = {
        **one.price(),
        "open": f"{tape.open:.4f}",
        "high": f"{tape.high:.4f}",
        "low": f"{tape.low:.4f}",
        "base": f"{tape.base:.4f}",
        "zdiv": "4",
        "pvol": bars[0].volume if bars else 0,
        "pamt": int(bars[0].value) if bars else 0,
        "tomv": int(one.market_cap),
        "uplp": "0.0000",
        "dnlp": "0.0000",
        "h52p": f"{top[0]:.4f}",
        "h52d": f"{top[1]:%Y%m%d}",
        "l52p": f"{bottom[0]:.4f}",
        "l52d": f"{bottom[1]:%Y%m%d}",
        "perx": f"{tape.last / one.earnings:.2f}" if one.earnings else "0.00",
        "epsx": f"{one.earnings:.2f}",
        "pbrx": f"{tape.last / book:.2f}" if book else "0.00",
        "bpsx": f"{book:.2f}",
        "shar": one.shares,
        "mcap": int(book * one.shares),
        "curr": exchange.currency,
        "vnit": 1,
        "t_xprc": f"{last:.0f}",
        "t_xdif": f"{abs(last - base):.0f}",
        "t_xrat": rate(float(last - base), float(base)),
        "t_xsgn": sign(float(last), float(base)),
        "p_xprc": f"{base:.0f}",
        "p_xdif": "0",
        "p_xrat": "0.00",
        "p_xsng": "3",
        "t_rate": f"{won:.2f}",
        "p_rate": f"{before:.2f}",
        "e_ordyn": "매매 가능",
        "e_hogau": f"{tape.instrument.unit:.4f}",
        "e_icod": industry,
        "e_parp": "0.0000",
        "etyp_nm": "",
    }
    return {"output": row}


def overviews_abroad(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    return {
        "overseas_stock/price_detail": partial(_detail, desk),
        "overseas_stock/search_info": partial(_basics, desk),
    }


_CURRENCIES = {"USD": "미국 달러", "HKD": "홍콩 달러", "CNY": "위안", "JPY": "엔", "VND": "동"}


def _basics(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return names, exchange and number of shares."""
    symbol, product = params.get("PDNO", ""), params.get("PRDT_TYPE_CD", "")
    found = find_abroad(symbol)
    code = next((one.code for one in EXCHANGES.values() if one.product == product), "NAS")
    one = _stock(desk, symbol, found.exchange if found else code, now)
    if one is None:
        return {}
    exchange = EXCHANGES[one.firm.exchange]
    row = {
        "std_pdno": "",
        "prdt_name": one.firm.name,
        "ovrs_item_name": one.firm.name,
        "prdt_eng_name": one.firm.english,
        "natn_cd": exchange.country_code,
        "natn_name": exchange.country_name,
        "tr_mket_cd": "01",
        "tr_mket_name": exchange.name,
        "ovrs_excg_cd": exchange.order_code,
        "ovrs_excg_name": exchange.name,
        "tr_crcy_cd": exchange.currency,
        "crcy_name": _CURRENCIES[exchange.currency],
        "ovrs_papr": "0.00",
        "prdt_clsf_cd": "101210",
        "prdt_clsf_name": "해외주식",
        "ovrs_stck_dvsn_cd": "01",
        "sll_unit_qty": 1,
        "buy_unit_qty": 1,
        "tr_unit_amt": "0.00",
        "lstg_stck_num": one.shares,
        "lstg_dt": "20000103",
        "lstg_yn": "Y",
        "lstg_abol_item_yn": "N",
        "lstg_abol_dt": "",
        "ovrs_stck_tr_stop_dvsn_cd": "01",
        "etp_chas_erng_rt_dbnb": "0.00",
        "istt_usge_isin_cd": "",
        "sedol_no": "",
        "lei_cd": "",
        "blbg_tckr_text": "",
        "ptp_item_yn": "N",
        "dtm_tr_psbl_yn": "Y" if exchange.country == "US" else "N",
        "memo_text1": "모의 종목",
        "ovrs_now_pric1": f"{one.tape.last:.4f}",
    }
    return {"output": row}
