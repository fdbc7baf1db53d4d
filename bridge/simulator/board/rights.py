"""What firms do to their shares, and when: meetings, issues, splits, mergers (pure, seeded).

Each event is of one year and leaves traces in several calendars: new shares are listed on a day,
what nobody subscribed is forfeited, who is against a merger may sell to the firm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from random import Random

from bridge.simulator.board.finance import Finance, face_value
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.market import Listing
from bridge.simulator.exchange.securities import Security, securities

__all__ = ["Entry", "RightsCalendar"]

Values = Mapping[str, object]
_AHEAD = timedelta(days=30)
_STATEMENT = timedelta(days=45)
_MOST_YEARS = 8
"""So far back at most, whatever is asked."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a calendar; days in ``values`` are dates, which KIS writes in two ways."""

    calendar: str
    symbol: str
    on: date
    """The day that the calendar is searched by."""
    values: Values = field(hash=False)


class RightsCalendar:
    """All calendars, a year at a time."""

    def __init__(self, seed: int, finance: Finance) -> None:
        self._seed, self._finance = seed, finance
        self._years = lru_cache(maxsize=10)(self._year)

    def entries(
        self, calendar: str, first: date, last: date, today: date, symbol: str = ""
    ) -> list[Entry]:
        """Return the lines of a calendar between two days, the latest first.

        A dividend is known when its year's statement is, anything else a month ahead.
        """
        ahead = -_STATEMENT if calendar == "dividend" else _AHEAD
        last = min(last, today + ahead)
        found = [
            one
            for year in range(max(first.year, last.year - _MOST_YEARS), last.year + 1)
            for one in self._years(year).get(calendar, ())
            if first <= one.on <= last and symbol in ("", one.symbol)
        ]
        return sorted(found, key=lambda one: (one.on, one.symbol), reverse=True)

    def _year(self, year: int) -> dict[str, Sequence[Entry]]:
        calendars: dict[str, list[Entry]] = {}
        for security in securities().values():
            if security.kind == "stock":
                for one in self._events(security, year):
                    calendars.setdefault(one.calendar, []).append(one)
        return {name: tuple(entries) for name, entries in calendars.items()}

    def _events(self, security: Security, year: int) -> Iterator[Entry]:
        symbol = security.symbol
        draw = Random(f"rights {self._seed} {symbol} {year}")  # noqa: S311 - invented, no secret
        listing = listings.listing(symbol, self._seed)
        yield from self._meeting(draw, listing, year)
        yield from self._dividend(listing, year)
        if security.common or security.real:
            return
        for chance, happen in (
            (0.10, _paid_issue),
            (0.06, _bonus_issue),
            (0.02, _capital_cut),
            (0.03, _face_change),
            (0.02, _merger),
            (0.03, _offering),
        ):
            if draw.random() < chance:
                yield from happen(draw, listing, year)

    def _meeting(self, draw: Random, listing: Listing, year: int) -> Iterator[Entry]:
        held = _weekday(date(year, 3, draw.randrange(10, 31)))
        values = {
            "gen_meet_dt": held,
            "gen_meet_type": "정기주주총회",
            "agenda": "[모의] 재무제표 승인의 건",
            "vote_tot_qty": listing.shares,
        }
        yield _entry("sharehld_meet", listing, date(year - 1, 12, 31), values)

    def _dividend(self, listing: Listing, year: int) -> Iterator[Entry]:
        """Yield what is paid for a year; known when its statement is published."""
        published = self._finance.years(listing.symbol, date(year + 1, 12, 31))
        books = next((one for one in published if one.year == year), None)
        if books is None or not books.dividend:
            return
        each = self._finance.dividend(listing.symbol, books)
        face = self._finance.face_value(listing.symbol)
        values = {
            "divi_kind": "결산배당",
            "face_val": face,
            "per_sto_divi_amt": each,
            "divi_rate": f"{each / face * 100:.2f}",
            "stk_divi_rate": "0.00",
            "divi_pay_dt": _weekday(date(year + 1, 4, 15)),
            "stk_kind": "우선주" if listing.name.endswith("우") else "보통주",
            "high_divi_gb": "Y" if each * 20 > listing.base else "",
        }
        yield _entry("dividend", listing, date(year, 12, 31), values)


def _entry(calendar: str, listing: Listing, on: date, values: Values) -> Entry:
    who = {"sht_cd": listing.symbol, "isin_name": listing.name, "record_date": on}
    return Entry(calendar, listing.symbol, on, {"stk_kind": "보통주", **who, **values})


def _weekday(day: date) -> date:
    """Return a day, or the Monday after it."""
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def _after(day: date, days: int) -> date:
    return _weekday(day + timedelta(days=days))


def _record_day(draw: Random, year: int) -> date:
    return _weekday(date(year, 1, 1) + timedelta(days=draw.randrange(5, 300)))


def _listed(listing: Listing, on: date, why: str, number: int, price: int) -> Entry:
    values = {
        "list_dt": on,
        "issue_type": why,
        "issue_stk_qty": number,
        "tot_issue_stk_qty": listing.shares,
        "issue_price": price,
    }
    return _entry("list_info", listing, on, values)


def _paid_issue(draw: Random, listing: Listing, year: int) -> Iterator[Entry]:
    on = _record_day(draw, year)
    price, number = listing.base * 3 // 4, listing.shares // draw.randrange(8, 30)
    begin, listed = _after(on, 14), _after(on, 35)
    values = {
        "tot_issue_stk_qty": listing.shares,
        "issue_stk_qty": number,
        "fix_rate": f"{number / listing.shares * 100:.4f}",
        "disc_rate": "25.00",
        "fix_price": price,
        "right_dt": _weekday(on - timedelta(days=1)),
        "sub_term_ft": _term(begin, 2),
        "sub_term": _term(begin, 2),
        "list_date": listed,
    }
    yield _entry("paidin_capin", listing, on, values)
    yield _listed(listing, listed, "유상증자", number, price)
    if draw.random() < 0.4:
        forfeited = {
            "subscr_dt": _term(_after(begin, 5), 2),
            "subscr_price": price,
            "subscr_stk_qty": max(1, number // 10),
            "refund_dt": _after(begin, 9),
            "list_dt": listed,
            "lead_mgr": "모의증권",
        }
        yield _entry("forfeit", listing, on, forfeited)


def _bonus_issue(draw: Random, listing: Listing, year: int) -> Iterator[Entry]:
    on = _record_day(draw, year)
    share = draw.choice((10, 20, 50, 100))
    number, listed = listing.shares * share // 100, _after(on, 21)
    values = {
        "fix_rate": f"{share:.4f}",
        "odd_rec_price": listing.base,
        "right_dt": _weekday(on - timedelta(days=1)),
        "odd_pay_dt": _after(on, 28),
        "list_date": listed,
        "tot_issue_stk_qty": listing.shares,
        "issue_stk_qty": number,
    }
    yield _entry("bonus_issue", listing, on, values)
    yield _listed(listing, listed, "무상증자", number, face_value(listing))


def _capital_cut(draw: Random, listing: Listing, year: int) -> Iterator[Entry]:
    on = _record_day(draw, year)
    values = {
        "reduce_cap_type": "무상감자",
        "reduce_cap_rate": f"{draw.choice((50, 66, 80)):.2f}",
        "comp_way": "주식병합",
        "td_stop_dt": _term(on, 20),
        "list_dt": _after(on, 21),
    }
    yield _entry("cap_dcrs", listing, on, values)


def _face_change(draw: Random, listing: Listing, year: int) -> Iterator[Entry]:
    on = _record_day(draw, year)
    values = {
        "inter_bf_face_amt": face_value(listing) * 10,
        "inter_af_face_amt": face_value(listing),
        "td_stop_dt": _term(on, 14),
        "list_dt": _after(on, 15),
    }
    yield _entry("rev_split", listing, on, values)


def _merger(draw: Random, listing: Listing, year: int) -> Iterator[Entry]:
    on = _record_day(draw, year)
    number, listed = listing.shares // 20, _after(on, 60)
    values = {
        "opp_cust_cd": "",
        "opp_cust_nm": f"{listing.name} 자회사(모의)",
        "cust_cd": listing.symbol,
        "cust_nm": listing.name,
        "merge_type": "흡수합병",
        "merge_rate": f"{draw.uniform(0.1, 0.9):.4f}",
        "td_stop_dt": "",
        "list_dt": listed,
        "odd_amt_pay_dt": _after(on, 65),
        "tot_issue_stk_qty": listing.shares,
        "issue_stk_qty": number,
        "seq": "1",
    }
    yield _entry("merger_split", listing, on, values)
    refused = {
        "opp_opi_rcpt_term": _term(_after(on, 7), 10),
        "buy_req_rcpt_term": _term(_after(on, 21), 20),
        "buy_req_price": listing.base * 95 // 100,
        "buy_amt_pay_dt": _after(on, 50),
        "get_meet_dt": _after(on, 20),
    }
    yield _entry("purreq", listing, on, refused)
    yield _listed(listing, listed, "합병", number, face_value(listing))


def _offering(draw: Random, listing: Listing, year: int) -> Iterator[Entry]:
    on = _record_day(draw, year)
    price, number, listed = listing.base * 9 // 10, listing.shares // 8, _after(on, 20)
    before = (listing.shares - number) * face_value(listing)
    values = {
        "fix_subscr_pri": price,
        "face_value": face_value(listing),
        "subscr_dt": _term(_after(on, 7), 1),
        "pay_dt": _after(on, 10),
        "refund_dt": _after(on, 10),
        "list_dt": listed,
        "lead_mgr": "모의증권",
        "pub_bf_cap": before,
        "pub_af_cap": before + number * face_value(listing),
        "assign_stk_qty": number // 4,
    }
    yield _entry("pub_offer", listing, on, values)
    yield _listed(listing, listed, "공모", number, price)
    kept = {
        "stk_qty": number * 2,
        "depo_date": listed,
        "depo_reason": "최대주주(모의)",
        "tot_issue_qty_per_rate": f"{number * 2 / listing.shares * 100:.2f}",
    }
    yield _entry("mand_deposit", listing, listed, kept)


def _term(first: date, days: int) -> str:
    """Return a stretch of days as KIS writes it."""
    return f"{first:%Y/%m/%d}~{first + timedelta(days=days):%Y/%m/%d}"
