"""Parameters with which any call of the workbook can be made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bridge.catalog.model import Api, Catalog, Param
from bridge.simulator.exchange.warrants import warrants_on

__all__ = ["PRODUCTS", "sound", "upper"]

PRODUCTS = {"domestic_futureoption": "03", "overseas_futureoption": "08", "pension": "29"}
"""Product of the account that a market wants; all others are of product 01."""
_SYMBOLS = {
    "overseas_stock": "AAPL",
    "domestic_futureoption": "A01612",
    "overseas_futureoption": "ESZ26",
    "domestic_bond": "KR103501GC97",
}
_NAMED = {
    "ORD_QTY": "1",
    "BUY_QTY": "1",
    "QTY_ALL_ORD_YN": "Y",
    "ORD_UNPR": "274000",
    "OVRS_ORD_UNPR": "250",
    "BOND_ORD_UNPR": "10000",
    "UNIT_PRICE": "330.00",
    "FID_COND_MRKT_DIV_CODE": "J",
    "ORD_DVSN": "00",
    "ORD_DVSN_CD": "01",
    "EXCD": "NAS",
    "OVRS_EXCG_CD": "NASD",
    "PRDT_TYPE_CD": "300",
    "FID_INPUT_HOUR_1": "100000",
    "SLL_BUY_DVSN_CD": "02",
}
"""What most calls want of the codes that they list."""
_SPECIAL = {
    ("domestic_bond", "PRDT_TYPE_CD"): "302",
    ("overseas_stock/inquire_time_indexchartprice", "FID_COND_MRKT_DIV_CODE"): "N",
    ("overseas_stock/inquire_time_indexchartprice", "FID_INPUT_ISCD"): "SPX",
    ("domestic_bond", "ORD_QTY2"): "10",
    ("overseas_futureoption", "QRY_CNT"): "1",
    **{
        (f"overseas_futureoption/{name}", param): "OESZ26 C6700"
        for name, param in (
            ("opt_asking_price", "SRS_CD"),
            ("opt_detail", "SRS_CD"),
            ("opt_price", "SRS_CD"),
            ("search_opt_detail", "SRS_CD_01"),
        )
    },
    ("domestic_stock/invest_opbysec", "FID_INPUT_ISCD"): "999",
}
"""By group or call."""


def sound(api: Api, catalog: Catalog, now: datetime, account: str = "12345678") -> dict[str, str]:
    """Return all parameters of a call, as the workbook allows them."""
    group = "pension" if api.id.startswith("pension_") else api.category
    own = {"CANO": account, "ACNT_PRDT_CD": PRODUCTS.get(group, "01")}
    return {
        param.name: own.get(param.name.upper()) or _value(api, param, catalog, now)
        for param in api.params
    }


def _value(api: Api, param: Param, catalog: Catalog, now: datetime) -> str:
    name = param.name.upper()
    if api.category == "domestic_stock" and "index" in api.id and name == "FID_INPUT_ISCD":
        return "0001"
    if special := _SPECIAL.get((api.name, name)) or _SPECIAL.get((api.category, name)):
        return special
    codes = [code.code for code in catalog.codes.get(param.codes, ())]
    if name in _NAMED and (not codes or _NAMED[name] in codes):
        return _NAMED[name]
    if param.default:
        return param.default
    if codes and param.required:
        return codes[0]
    if param.path == "symbol" and (api.category == "elw" or api.id == "inquire_elw_price"):
        return next(iter(warrants_on(now.date()))).symbol
    if param.path.endswith("symbol") or name == "SHTN_PDNO":
        return _SYMBOLS.get(api.category, "005930")
    if param.type == "date":
        ago = timedelta(days=30) if "STRT" in name or name.endswith("_1") else timedelta(0)
        return f"{now - ago:%Y%m%d}"
    return f"{now:%H%M%S}" if param.type == "time" else ""


def upper(params: Mapping[str, str]) -> dict[str, str]:
    """Return parameters as a handler gets them."""
    return {name.upper(): value for name, value in params.items()}
