"""What the price of a stock is told with: measures from the same books as all else (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bridge.simulator.board import ratios
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.board.desk import BoardDesk
from bridge.simulator.rest.board.stocks import Stock, stock_of
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import Params
from bridge.simulator.stream.records import rate

__all__ = ["completed", "overview_values", "stock_overview"]


def overview_values(one: Stock) -> Row:
    """Return a firm's measures, the extremes of its year, who holds and who owes its shares."""
    quote, listing = one.quote, one.quote.listing
    held = one.desk.flows.foreign_holding(listing)
    firm: Row = {"per": "0.00", "pbr": "0.00", "eps": "0.00", "bps": "0.00", "stac_month": "12"}
    if one.year is not None:
        shares = one.desk.finance.shares(one.symbol)
        firm |= ratios.price_values(one.year, quote.last, shares)
        firm["cpfn"] = one.year.capital // 100
    (high, high_on), (low, low_on) = one.highest, one.lowest
    told: Row = {}
    for highest, lowest in (
        ("w52_hgpr", "w52_lwpr"),
        ("d250_hgpr", "d250_lwpr"),
        ("stck_dryy_hgpr", "stck_dryy_lwpr"),
    ):
        for name, price, day in ((highest, high, high_on), (lowest, low, low_on)):
            plain = name.removeprefix("stck_")
            told[name] = price
            told[f"{plain}_date"] = f"{day:%Y%m%d}"
            told[f"{plain}_vrss_prpr_ctrt"] = told[f"{plain}_vrss_prpr_rate"] = rate(
                quote.last - price, price
            )
    program = one.desk.flows.programs(one.today, quote.bought, quote.sold)["whol_smtn"]
    return {
        **firm,
        **told,
        "rprs_mrkt_kor_name": one.board_name,
        "bstp_kor_isnm": one.security.sector.name,
        "stck_fcam": one.desk.finance.face_value(one.symbol),
        "elw_pblc_yn": "Y" if one.security.real and one.security.board == "kospi" else "N",
        "frgn_hldn_qty": held,
        "hts_frgn_ehrt": rate(held, listing.shares),
        "frgn_ntby_qty": one.investors["frgn"].net,
        "pgtr_ntby_qty": program.net,
        "whol_loan_rmnd_rate": rate(one.lending.loans, listing.shares),
        "last_ssts_cntg_qty": one.lending.short,
    }


def stock_overview(desk: BoardDesk, params: Params, now: datetime) -> Row:
    """Return it for the stock that a call asks for."""
    return overview_values(stock_of(desk, params.get("FID_INPUT_ISCD", ""), now))


def completed(price: Handler, told: Callable[[Params, datetime], Row]) -> Handler:
    """Return a call for one symbol that tells this too."""

    def handle(variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        answer = price(variant, params, tr_cont, now)
        row = answer.outputs.get("output")
        if answer.rt_cd != "0" or not isinstance(row, dict):
            return answer
        values = told(params, now)
        known = {name: str(values[name]) for name in values.keys() & row.keys()}
        return replace(answer, outputs=answer.outputs | {"output": row | known})

    return handle
