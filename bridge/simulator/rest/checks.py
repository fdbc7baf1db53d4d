"""What KIS checks of the parameters before a call is carried out (pure).

Codes and texts are those that people have been sent (also the spelling of ``INPUT_FILED_SIZE``).
"""

from __future__ import annotations

from bridge.catalog.model import Api, Catalog
from bridge.simulator.rest.params import InputError, MissingError, Params, TooLongError

__all__ = ["check_codes", "check_names"]

_MARKET = "FID_COND_MRKT_DIV_CODE"
_PAGE = "continuation"
"""Path of what only a later page needs; KIS goes without it on the first."""
_UNSENT = frozenset(
    [
        ("domestic_bond/inquire_psbl_order", "SAMT_MKET_PTCI_YN"),
        ("domestic_stock/investor_program_trade_today", "EXCH_DIV_CLS_CODE"),
        ("elw/newly_listed", "FID_BLNC_CLS_CODE"),
        ("overseas_futureoption/search_contract_detail", "SRS_CD_01"),
        ("overseas_stock/new_highlow", "NDAY"),
        ("overseas_stock/order_resv_ccnl", "RSYN_ORD_RCIT_DT"),
    ]
)
"""Documented as required, and not sent by the programs that KIS publishes for these calls."""
_QUOTATIONS = ("/quotations/", "/ranking/", "/finance/", "/ksdinfo/")


def check_names(api: Api, params: Params, *, lenient: bool = False) -> None:
    """Raise :class:`MissingError` for a parameter that is not there at all; blank ones are.

    ``lenient``: only calls for market data have to be complete. Of those that concern an account
    KIS has been seen to go without some that it documents as required.
    """
    if lenient and not any(part in api.path for part in _QUOTATIONS):
        return
    for param in api.params:
        if param.required and not param.path.startswith(_PAGE):
            name = param.name.upper()
            if name not in params and (api.name, name) not in _UNSENT:
                raise MissingError(name)


def check_codes(api: Api, catalog: Catalog, params: Params, *, lenient: bool = False) -> None:
    """Raise :class:`InputError` for a value that is none of its list.

    Blank stands for all, and so does ``%``. ``lenient``: only the market of a quotation is looked
    at; the other lists may lack what KIS takes, and the call itself has a use for its parameters.
    """
    for param in api.params:
        name = param.name.upper()
        value = params.get(name, "").lstrip("%:")
        if not value or not param.codes or (lenient and name != _MARKET):
            continue
        known = {code.code for code in catalog.codes[param.codes]}
        if known.isdisjoint((value, value.lstrip("0"))):
            if len(value) > max(map(len, known)):
                raise TooLongError(name, len(value))
            raise InputError(name)
