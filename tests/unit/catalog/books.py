"""Small workbooks for tests: a valid one, and what a cell of it can be changed to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from openpyxl import Workbook

from bridge.catalog.sheets import SHEETS

Cell = str | int | float | bool | None
Book = dict[str, list[list[Cell]]]

_ROWS = {
    "channels": """
H0STCNT0|H0STCNT0|domestic_stock|krx|trade|trade_6 trade_5|CODE||Asia/Seoul||체결|Trades
HDFSCNT0||overseas_stock||trade|overseas_3|SYMB|RSYM|Asia/Seoul||해외|Overseas trades
H0STCNI0|H0STCNI9|domestic_stock|all|notice|notice_2|CODE||Asia/Seoul|yes|통보|Notices""",
    "venues": """
HDFSCNT0|nas|DNAS|America/New_York|Nasdaq
HDFSCNT0|hks|DHKS|Asia/Hong_Kong|Hong Kong""",
    "layouts": """
trade_6|6|DAY||
trade_5|5|DAY|trade_6|Without the end
overseas_3|3|||
notice_2|2|||""",
    "fields": """
trade_6|1|CODE|symbol|code||||||코드|Symbol
trade_6|2|HOUR|time|time||||||시간|Time
trade_6|3|DAY|business_date|date||||||일자|Day
trade_6|4|SIGN|change_sign|sign||sign||||부호|Sign
trade_6|5|DIFF|change|int|KRW||SIGN|||대비|Change
trade_6|6|SIDE|side|code||side|||yes|구분|Side
overseas_3|1|RSYM|key|code||||||키|Key
overseas_3|2|SYMB|symbol|code||||||코드|Symbol
overseas_3|3|ASK1|asks[0].price|decimal||||2||호가|Ask
notice_2|1|CODE|symbol|code||||||코드|Symbol
notice_2|2|SIDE|side|code||side||||구분|Side""",
    "apis": """
domestic_stock|order_cash|buy|TTTC0012U|VTTC0012U|POST|/order|yes||주문|Order
domestic_stock|order_cash|sell|TTTC0011U|VTTC0011U||||||
auth|token||||POST|/token|yes||토큰|Token
overseas_stock|price||HHDFS00000300||GET|/price|||현재가|Price
overseas_stock|balance||TTTS3012R||GET|/balance|||잔고|Balance""",
    "params": """
domestic_stock/order_cash|PDNO|symbol|code|body|yes|||종목|Symbol
domestic_stock/order_cash|SIDE|side|code|body||02|side|구분|Side
overseas_stock/price|EXCD|exchange|code|query|yes||venues|거래소|Exchange
overseas_stock/price|SYMB|symbol|code|query|yes|||종목|Symbol
overseas_stock/balance|CANO|account|code|query||||계좌|Account""",
    "outputs": """
domestic_stock/order_cash|output1|yes|ODNO|order_no|code|||||번호|Number
domestic_stock/order_cash|output1|yes|QTY|quantity|int|||||수량|Quantity
auth/token|||token|token|string|||||토큰|Token
overseas_stock/price|output||LAST|price|decimal|||||가격|Price
overseas_stock/price|output2||ASK1|asks[0].price|decimal|||||호가|Ask
overseas_stock/price|output3||OPEN|price|decimal|||||가격|Price
overseas_stock/price|output4||SRC|source|string|||||출처|Source""",
    "masters": """
stocks|domestic_stock|krx|stocks.mst.zip|stocks.mst|fixed|29||종목|Stocks
more|domestic_stock|nxt|more.mst.zip|more.mst|fixed|29|stocks|더|More stocks
nas|overseas_stock|nas|nasmst.cod||tab|||해외|Overseas""",
    "master_fields": """
stocks|1|CODE|symbol|code|9||코드|Symbol
stocks|2|NAME|name|string|20||이름|Name
nas|1|SYMB|symbol|code|||코드|Symbol
nas|2|SIDE|side|code||side|구분|Side""",
    "codes": """
side|01|sell|매도|Sell
side|02|buy|매수|Buy
sign|2|up||Up
sign|5|down||Down
venues|NAS|nasdaq||Nasdaq
venues|HKS|hongkong||Hong Kong
order_type_krx|00|limit||Limit
order_type_krx|41|late||After the close""",
    "hours": """
domestic_stock|krx|regular|KRX||09:00|15:30|Asia/Seoul|||yes|trade|yes||Continuous
domestic_stock|krx|after|KRX||16:00|20:00|Asia/Seoul|2026-09-14||yes||yes|late|After the close
overseas_stock|nas|regular|NYSE||09:30|16:00|America/New_York|||yes|trade|yes||Continuous
|||KRX|11-thu-3|+01:00|+01:00||||||||College exam
||regular|NYSE|12-24||13:00||||||||Half a day""",
    "snapshots": """
HDFSCNT0|overseas_stock/price|exchange={VENUE} symbol={symbol}|output output2|Price""",
}
_NUMBERS = ("position", "width", "scale")


def _rows(sheet: str) -> Iterator[list[Cell]]:
    for line in _ROWS[sheet].strip().splitlines():
        cells = zip(SHEETS[sheet], line.split("|"), strict=True)
        yield [int(text) if text and name in _NUMBERS else text or None for name, text in cells]


def book() -> Book:
    """Return a small valid workbook: sheet → rows, the header first."""
    about: list[list[Cell]] = [["Test"], ["version", "1"], ["sheet", "column", "meaning"]]
    about.append(["about", None, "This sheet"])
    for sheet, columns in SHEETS.items():
        about.append([sheet, None, "A sheet"])
        about.extend([sheet, column, "A column"] for column in columns)
    sheets: Book = {"about": about}
    for sheet, columns in SHEETS.items():
        sheets[sheet] = [list(columns), *_rows(sheet)]
    return sheets


def change(sheets: Book, place: str, value: Cell) -> None:
    """Put a value in a cell, named as in Excel: ``fields!E3``."""
    sheet, _, cell = place.partition("!")
    sheets[sheet][int(cell[1:]) - 1][ord(cell[0]) - ord("A")] = value


def write(sheets: Book, path: Path) -> Path:
    """Write the workbook; return its path."""
    excel = Workbook()
    assert excel.active is not None
    excel.remove(excel.active)
    for title, rows in sheets.items():
        sheet = excel.create_sheet(title)
        for row in rows:
            sheet.append(row)
    excel.save(path)
    return path
