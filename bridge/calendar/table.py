# ruff: noqa: E501
"""The timetable as data; source: KIS's and the exchanges' hours as of September 2026."""

from __future__ import annotations

from typing import Any

from bridge.catalog.timetable import SpecialDay, Timetable, TradingSession

__all__ = ["TIMETABLE"]

_SESSIONS = """
# markets|venues|session|calendar|opens|closes|timezone|since|until|data|busy|orders|order_types
domestic_stock|krx unified sor|opening_auction|KRX|08:30|09:00|Asia/Seoul||2026-09-13|yes||yes|
domestic_stock|krx unified sor|opening_auction|KRX|08:20|09:00|Asia/Seoul|2026-09-14||yes||yes|
domestic_stock|krx|pre_open_after_hours|KRX|08:30|08:40|Asia/Seoul|||yes||yes|pre_open_after_hours
domestic_stock|krx unified sor|regular|KRX|09:00|15:20|Asia/Seoul|||yes|trade quote|yes|
domestic_stock|krx unified sor|closing_auction|KRX|15:20|15:30|Asia/Seoul|||yes||yes|
domestic_stock|krx unified|post_close|KRX|15:30|16:00|Asia/Seoul|||yes||yes|post_close_after_hours
domestic_stock|krx unified|single_price|KRX|16:00|18:00|Asia/Seoul||2026-09-13|yes|||
domestic_stock|krx unified|after_market|KRX|16:00|20:00|Asia/Seoul|2026-09-14||yes||yes|after_market_limit after_market_limit_ioc after_market_limit_fok after_market_best after_market_best_ioc after_market_best_fok after_market_top_priority
domestic_stock|nxt unified sor|pre_market|KRX|08:00|08:50|Asia/Seoul|||yes||yes|
domestic_stock|nxt|pre_market_only|KRX|08:00|08:50|Asia/Seoul|2026-09-14||yes||yes|gtp_limit gtp_best gtp_top_priority
domestic_stock|nxt|regular|KRX|09:00:30|15:20|Asia/Seoul|||yes|trade quote|yes|
domestic_stock|nxt unified|closing_price|KRX|15:30|15:40|Asia/Seoul|||yes||yes|
domestic_stock|nxt unified sor|after_market|KRX|15:40|20:00|Asia/Seoul|||yes||yes|
domestic_etf domestic_elw domestic_index|krx|opening_auction|KRX|08:30|09:00|Asia/Seoul||2026-09-13|yes|||
domestic_etf domestic_elw domestic_index|krx|opening_auction|KRX|08:20|09:00|Asia/Seoul|2026-09-14||yes|||
domestic_etf domestic_elw|krx|regular|KRX|09:00|15:20|Asia/Seoul|||yes|nav||
domestic_index|krx|regular|KRX|09:00|15:20|Asia/Seoul|||yes|index||
domestic_etf domestic_elw domestic_index|krx|closing_auction|KRX|15:20|15:30|Asia/Seoul|||yes|||
domestic_etf domestic_elw domestic_index|krx|post_close|KRX|15:30|18:00|Asia/Seoul|||yes|||
domestic_derivative|krx|opening_auction|KRX|08:30|08:45|Asia/Seoul|||yes||yes|
domestic_derivative|krx|regular|KRX|08:45|15:35|Asia/Seoul|||yes||yes|
domestic_derivative|krx|closing_auction|KRX|15:35|15:45|Asia/Seoul|||yes||yes|
domestic_derivative|krx_night|opening_auction|KRX|17:50|18:00|Asia/Seoul|||yes||yes|
domestic_derivative|krx_night|night|KRX|18:00|06:00|Asia/Seoul|||yes||yes|
domestic_bond|krx|regular|KRX|08:30|15:30|Asia/Seoul|||yes|||
overseas_stock|nas nys ams|pre_market|NYSE|04:00|09:30|America/New_York|||yes||yes|
overseas_stock|nas nys ams|regular|NYSE|09:30|16:00|America/New_York|||yes|trade quote|yes|
overseas_stock|nas nys ams|after_market|NYSE|16:00|20:00|America/New_York|||yes||yes|
overseas_stock|baq bay baa|daytime|weekdays|10:00|17:00|Asia/Seoul|||yes|||
overseas_stock|hks|opening_auction|HKEX|09:00|09:30|Asia/Hong_Kong|||yes||yes|
overseas_stock|hks|morning|HKEX|09:30|12:00|Asia/Hong_Kong|||yes|trade quote|yes|
overseas_stock|hks|lunch|HKEX|12:00|13:00|Asia/Hong_Kong|||||yes|
overseas_stock|hks|afternoon|HKEX|13:00|16:00|Asia/Hong_Kong|||yes|trade quote|yes|
overseas_stock|hks|closing_auction|HKEX|16:00|16:10|Asia/Hong_Kong|||yes||yes|
overseas_stock|tse|opening_auction|JPX|08:00|09:00|Asia/Tokyo|||yes||yes|
overseas_stock|tse|morning|JPX|09:00|11:30|Asia/Tokyo|||yes|trade quote|yes|
overseas_stock|tse|lunch|JPX|11:30|12:30|Asia/Tokyo|||||yes|
overseas_stock|tse|afternoon|JPX|12:30|15:25|Asia/Tokyo|||yes|trade quote|yes|
overseas_stock|tse|closing_auction|JPX|15:25|15:30|Asia/Tokyo|||yes||yes|
overseas_stock|shs szs|opening_auction|SSE|09:15|09:30|Asia/Shanghai|||yes||yes|
overseas_stock|shs szs|morning|SSE|09:30|11:30|Asia/Shanghai|||yes|trade quote|yes|
overseas_stock|shs szs|lunch|SSE|11:30|13:00|Asia/Shanghai|||||yes|
overseas_stock|shs szs|afternoon|SSE|13:00|14:57|Asia/Shanghai|||yes|trade quote|yes|
overseas_stock|shs szs|closing_auction|SSE|14:57|15:00|Asia/Shanghai|||yes||yes|
overseas_stock|hsx|opening_auction|VN|09:00|09:15|Asia/Ho_Chi_Minh|||yes||yes|
overseas_stock|hsx|morning|VN|09:15|11:30|Asia/Ho_Chi_Minh|||yes||yes|
overseas_stock|hnx|morning|VN|09:00|11:30|Asia/Ho_Chi_Minh|||yes||yes|
overseas_stock|hsx hnx|lunch|VN|11:30|13:00|Asia/Ho_Chi_Minh|||||yes|
overseas_stock|hsx hnx|afternoon|VN|13:00|14:30|Asia/Ho_Chi_Minh|||yes||yes|
overseas_stock|hsx hnx|closing_auction|VN|14:30|14:45|Asia/Ho_Chi_Minh|||yes||yes|
overseas_stock|hsx hnx|post_close|VN|14:45|15:00|Asia/Ho_Chi_Minh|||yes||yes|
overseas_derivative|all|globex|weekdays|17:00|16:00|America/Chicago|||yes|||
"""

_SPECIAL_DAYS = """
# calendar|days|markets|venues|sessions|opens|closes
KRX|12-31||||closed|
KRX|11-thu-3||||+01:00|+01:00
KRX|11-thu-3|||pre_market pre_market_only|closed|
KRX|11-thu-3|||single_price after_market night|+01:00|
KRX|first|||opening_auction pre_open_after_hours|+01:00|+01:00
KRX|first|||regular|+01:00|
KRX|first||krx_night|opening_auction||
KRX|first|||pre_market pre_market_only|closed|
NYSE|07-03 11-thu-4+1 12-24|||regular||13:00
NYSE|07-03 11-thu-4+1 12-24|||after_market|13:00|17:00
HKEX|12-24 12-31 2026-02-16 2027-02-05 2028-01-25 2029-02-12|||lunch afternoon|closed|
HKEX|12-24 12-31 2026-02-16 2027-02-05 2028-01-25 2029-02-12|||closing_auction|12:00|12:10
"""


def _rows(table: str) -> list[dict[str, str]]:
    header, *lines = table.strip().splitlines()
    names = header.removeprefix("# ").split("|")
    return [dict(zip(names, line.split("|"), strict=True)) for line in lines]


def _read(row: dict[str, str], listed: set[str], flags: set[str]) -> dict[str, Any]:
    return {
        name: tuple(text.split()) if name in listed else text == "yes" if name in flags else text
        for name, text in row.items()
    }


_LISTED = {"markets", "venues", "sessions", "busy", "order_types", "days"}

TIMETABLE = Timetable(
    tuple(
        TradingSession(name=row.pop("session"), **_read(row, _LISTED, {"data", "orders"}))
        for row in _rows(_SESSIONS)
    ),
    tuple(SpecialDay(**_read(row, _LISTED, set())) for row in _rows(_SPECIAL_DAYS)),
)
