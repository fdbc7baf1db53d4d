"""What an account has of bonds and can buy, and what a bond costs and is (pure)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from bridge.catalog.model import Catalog
from bridge.simulator.bonds.issues import FACE, BondIssue, issue, plausible
from bridge.simulator.bonds.yields import fair_price, yield_at
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.bond_lots import bond_lots
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.terms import terms
from bridge.simulator.rest.account_pages import AccountPages
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.bonds.orders import price_limits
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import InputError, Params, account_of, amount_of, text_of
from bridge.simulator.settings import SimulatorSettings

__all__ = ["BondReportHandlers"]

_LEVELS = 5
_DAYS = 100
"""Of valuations that one call tells."""
_APART = {"kis": 0, "kbp": 1, "nice": -1, "fnp": 2}
"""Won by which the houses that value bonds differ."""


class BondReportHandlers:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, off_book: OffBook, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._off_book, self._settings = off_book, settings
        self._pages = AccountPages(catalog, settings.environment)

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_bond/inquire_balance": self._balance,
            "domestic_bond/inquire_psbl_order": self._orderable,
            "domestic_bond/inquire_price": self._price,
            "domestic_bond/inquire_asking_price": self._asking_price,
            "domestic_bond/avg_unit": self._valuations,
        }

    def _balance(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        money = self._off_book.money(account_of(params))
        symbol, day = params.get("PDNO", ""), params.get("BUY_DT", "")
        if params.get("INQR_CNDT") == "01" and not symbol:
            raise InputError("PDNO")
        rows = [
            {
                "pdno": lot.symbol,
                "prdt_name": one.name,
                "buy_dt": f"{lot.day:%Y%m%d}",
                "buy_sqno": lot.number,
                "cblc_qty": lot.quantity,
                "agrx_qty": lot.quantity,
                "sprx_qty": 0,
                "exdt": f"{one.matures:%Y%m%d}",
                "buy_erng_rt": yield_at(one, lot.price, lot.day),
                "buy_unpr": lot.price,
                "buy_amt": int(lot.amount),
                "ord_psbl_qty": lot.free,
            }
            for lot in bond_lots(money.executions, money.waiting, symbol)
            if day in ("", f"{lot.day:%Y%m%d}")
            for one in (issue(lot.symbol, self._settings.seed),)
        ]
        return self._pages.page("domestic_bond/inquire_balance", "output", rows, params, cont)

    def _orderable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        self._issue(params, "PDNO")
        price = amount_of(params, "BOND_ORD_UNPR")
        if not price.is_finite() or price < 0:
            raise InputError("BOND_ORD_UNPR")
        price = price or self._off_book.price(params["PDNO"])
        free = int(self._off_book.money(account_of(params)).free("KRW"))
        found = terms("domestic_bond", "", params["PDNO"])
        each = found.amount(10, price) / 10 if found else price
        quantity = max(0, int(free / each))
        if params.get("SAMT_MKET_PTCI_YN") != "Y":
            quantity -= quantity % 10
        row = {
            "ord_psbl_cash": free,
            "bond_ord_unpr2": price,
            "buy_psbl_amt": int(quantity * each),
            "buy_psbl_qty": quantity,
        }
        return self._pages.one("domestic_bond/inquire_psbl_order", output=row)

    def _price(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        one = self._issue(params, "FID_INPUT_ISCD")
        tape = self._off_book.tape(one.symbol).read(now)
        price, base = tape.last, tape.base
        lower, upper = price_limits(base)
        row = {
            "stnd_iscd": one.symbol,
            "hts_kor_isnm": one.name,
            "bond_prpr": price,
            "prdy_vrss_sign": "3" if price == base else "2" if price > base else "5",
            "bond_prdy_vrss": price - base,
            "prdy_ctrt": f"{(price - base) / base * 100:.2f}",
            "acml_vol": tape.volume,
            "bond_prdy_clpr": base,
            "bond_oprc": tape.open,
            "bond_hgpr": tape.high,
            "bond_lwpr": tape.low,
            "ernn_rate": yield_at(one, price, now.date()),
            "oprc_ert": yield_at(one, tape.open, now.date()),
            "hgpr_ert": yield_at(one, tape.high, now.date()),
            "lwpr_ert": yield_at(one, tape.low, now.date()),
            "bond_mxpr": upper,
            "bond_llam": lower,
        }
        return self._pages.quote("domestic_bond/inquire_price", output=row)

    def _asking_price(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        one = self._issue(params, "FID_INPUT_ISCD")
        price, draw = self._off_book.price(one.symbol), self._draw(one, now.date())
        row: Row = {"aspr_acpt_hour": f"{now:%H%M%S}"}
        totals = {"askp": 0, "bidp": 0}
        for level in range(1, _LEVELS + 1):
            for word, side, at in (
                ("askp", "seln", price + level),
                ("bidp", "shnu", price - level + 1),
            ):
                size = draw.randrange(10, 20_000)
                totals[word] += size
                row |= {
                    f"bond_{word}{level}": at,
                    f"{word}_rsqn{level}": size,
                    f"{side}_ernn_rate{level}": yield_at(one, at, now.date()),
                }
        row |= {f"total_{word}_rsqn": total for word, total in totals.items()}
        row["ntby_aspr_rsqn"] = totals["bidp"] - totals["askp"]
        return self._pages.quote("domestic_bond/inquire_asking_price", output=row)

    def _valuations(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        one = self._issue(params, "PDNO")
        first, last = _day(params, "INQR_STRT_DT"), _day(params, "INQR_END_DT")
        last = min(last, now.date())
        prices: list[Row] = []
        amounts: list[Row] = []
        for offset in range(min(_DAYS, (last - first).days + 1)):
            day = last - timedelta(days=offset)
            if day.weekday() > 4 or not one.issued <= day < one.matures:
                continue
            about = {
                "evlu_dt": f"{day:%Y%m%d}",
                "pdno": one.symbol,
                "prdt_type_cd": "302",
                "prdt_name": one.name,
                "chng_yn": "N",
            }
            fair = fair_price(one, day)
            houses = {house: fair + apart for house, apart in _APART.items()}
            average = sum(houses.values(), Decimal(0)) / len(houses)
            prices.append(about | self._valued(one, houses, average, day))
            whole = {house: int(price * one.amount / FACE) for house, price in houses.items()}
            amounts.append(
                about
                | {f"{house}_evlu_amt": amount for house, amount in whole.items()}
                | {"avg_evlu_amt": int(average * one.amount / FACE)}
            )
        name, beside = "domestic_bond/avg_unit", {"output2": amounts}
        return self._pages.page(name, "output1", prices, params, cont, beside=beside)

    def _valued(
        self, one: BondIssue, houses: dict[str, Decimal], average: Decimal, day: date
    ) -> Row:
        words = {"kis": "kis", "kbp": "kbp", "nice": "nice_evlu", "fnp": "fnp"}
        row: Row = {"avg_evlu_unpr": f"{average:.2f}"}
        row["avg_evlu_erng_rt"] = yield_at(one, average, day)
        for house, price in houses.items():
            row[f"{words[house]}_unpr"] = price
            row[f"{words[house]}_erng_rt"] = yield_at(one, price, day)
            row[f"{house}_crdt_grad_text"] = one.rating
        return row

    def _issue(self, params: Params, name: str) -> BondIssue:
        symbol = text_of(params, name)
        if not plausible(symbol):
            raise OrderRefused("symbol")
        return issue(symbol, self._settings.seed)

    def _draw(self, one: BondIssue, day: date) -> Random:
        return Random(f"bond {self._settings.seed} {one.symbol} {day}")  # noqa: S311 - a market


def _day(params: Params, name: str) -> date:
    try:
        return datetime.strptime(params.get(name, ""), "%Y%m%d").date()  # noqa: DTZ007 - a date
    except ValueError as error:
        raise InputError(name) from error
