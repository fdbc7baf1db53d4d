"""What the terminal screen makes of messages: one look at 80 columns has to be enough."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from bridge.cli.screen import views
from bridge.cli.screen.picture import Picture, TradedSymbol, WatchedSymbol

NOW = 1_795_860_430_000_000
SAMSUNG = TradedSymbol("domestic_stock", "krx", "005930")
TRADE = "kis/market/domestic_stock/krx/trade/005930"
QUOTE = "kis/market/domestic_stock/krx/quote/005930"
QUALITY = "kis/quality/domestic_stock/krx/trade/005930"


def picture(*messages: tuple[str, object]) -> Picture:
    seen = Picture(names={"005930": "삼성전자"})
    for topic, content in messages:
        seen.take(topic, content if isinstance(content, bytes) else json.dumps(content).encode())
    return seen


def trade(**fields: object) -> dict[str, Any]:
    said = {"symbol": "005930", "received_at": NOW - 3_000_000, "price": 71900, "change": -400}
    return said | {"change_rate": -0.55, "cumulative_volume": 12345678} | fields


def levels(*prices: int) -> list[dict[str, int]]:
    return [{"price": price, "quantity": 10 * number} for number, price in enumerate(prices, 1)]


def quote(seen: Picture, place: TradedSymbol = SAMSUNG) -> WatchedSymbol:
    found = seen.quote(place, NOW)
    assert found is not None
    return found


def row(seen: Picture) -> str:
    return " ".join(cell.plain for cell in views.cells(quote(seen)))


def drawn(shown: RenderableType, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


def order(name: str, **fields: object) -> tuple[str, object]:
    said = {
        "client_order_id": name, "symbol": "005930", "side": "buy", "order_type": "market",
        "state": "filled", "quantity": 10, "price": None, "filled_quantity": 10,
        "average_price": 71850, "at": NOW,
    }  # fmt: skip
    return f"kis/orders/main/alice/state/{name}", said | fields


def test_a_row_says_price_change_volume_quality_and_age() -> None:
    seen = picture((TRADE, trade()), (QUALITY, {"quality": "live", "reason": None}))
    assert row(seen).split() == [
        *("005930", "삼성전자", "71,900", "-400", "-0.55", "12,345,678", "live", "3s"),
    ]


def test_a_terminal_of_eighty_columns_has_room_for_a_row_and_its_scroll_bar() -> None:
    assert sum(column.width + 1 for column in views.COLUMNS) + 2 <= 80


@given(
    st.text(max_size=40),
    st.text(max_size=40),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12
    ),
)
def test_whatever_comes_each_cell_is_as_wide_as_its_column(
    symbol: str, name: str, number: Decimal
) -> None:
    shown = WatchedSymbol(
        TradedSymbol("m", "v", symbol),
        name,
        number,
        number,
        number,
        number,
        (),
        (),
        symbol,
        name,
        1e9,
    )
    for cell, column in zip(views.cells(shown), views.COLUMNS, strict=True):
        assert cell_len(cell.plain) == column.width
        assert cell.plain.isprintable()


def test_the_book_has_the_asks_above_the_bids_and_the_best_in_the_middle() -> None:
    seen = picture(
        (TRADE, trade()), (QUOTE, {"asks": levels(71900, 72000), "bids": levels(71800, 71700)})
    )
    assert [line.split()[-2:] for line in drawn(views.book(quote(seen))).splitlines()] == [
        ["72,000", "20"], ["71,900", "10"], ["71,800", "10"], ["71,700", "20"],
    ]  # fmt: skip
    assert "no order book" in drawn(views.book(None))


def test_an_order_says_what_was_filled_and_at_which_price() -> None:
    said = drawn(views.orders(picture(order("a-1")), 10, 50), 50)
    assert said.splitlines()[1].split()[1:] == ["005930", "buy", "10/10", "71,850", "filled"]
    said = drawn(views.orders(picture(order("a-1", average_price=None, state="accepted")), 10, 50))
    assert "market" in said


def test_the_order_that_changed_last_comes_first_and_what_has_no_room_is_counted() -> None:
    seen = picture(*(order(f"a-{n}") for n in range(20)), order("a-3", state="rejected"))
    lines = drawn(views.orders(seen, 10, 100), 100).splitlines()
    assert len(lines) == 10
    assert "a-3" in lines[1]
    assert "rejected" in lines[1]
    assert "a-19" in lines[2]
    assert "12 more" in lines[-1]
    seen.take("kis/orders/main/alice/state/a-3", b"")
    assert "a-3 " not in drawn(views.orders(seen, 30, 100), 100)


def test_the_headline_leaves_no_doubt_whose_money_it_is_and_that_orders_are_halted() -> None:
    health = {
        "halted": True, "sessions": {"app1": {"state": "connected", "slots_used": 21,
        "slots_limit": 41}}, "publish": {"dropped": 2, "possibly_lost": 1}, "lag_us": {"p50": 400,
        "p99": 1100},
    }  # fmt: skip
    seen = picture(
        ("kis/bridge/state", {"state": "online"}),
        ("kis/bridge/info", {"environment": "real"}),
        ("kis/bridge/health", health),
    )
    line = views.headline(seen, 80)
    assert line.plain.startswith(" REAL  online  ORDERS HALTED ")
    assert "on red" in str(line.spans[0].style)
    for part in ("app1 21/41", "lost 3", "lag 0.4/1.1 ms"):
        assert part in line.plain
    assert line.cell_len <= 80
    assert views.headline(Picture(), 80).plain == "waiting …"


def test_the_newest_event_is_told() -> None:
    seen = picture(
        ("kis/bridge/event/gap", {"at": NOW, "channel": "H0STCNT0"}),
        ("kis/bridge/event/session_lost", {"at": NOW, "session": "app1", "code": "silent"}),
    )
    said = views.event(seen).plain
    assert "session_lost" in said
    assert "session app1" in said
    assert [kind for kind, _ in seen.events()] == ["session_lost", "gap"]


@pytest.mark.parametrize(
    "payload", [b"", b"no JSON", b"[]", b"{" * 10_000, b'{"price":' + b"9" * 5_000 + b"}",
                b'{"price":"x","at":-1,"asks":7,"bids":[1],"received_at":"y","at":1e99}',
                b"\xff", b"x" * 300_000],
)  # fmt: skip
def test_garbage_is_no_news(payload: bytes) -> None:
    seen = picture((TRADE, payload), (QUOTE, payload), (QUALITY, payload))
    for topic in ("bridge/state", "bridge/info", "bridge/health", "bridge/event/gap"):
        seen.take(f"kis/{topic}", payload)
    seen.take("kis/orders/main/alice/state/a", payload)
    seen.take("kis/orders", payload)
    seen.take("other/market/a/b/c/d", payload)
    seen.take("kis/market/m/v/trade/%ff", payload)
    for place in seen.places():
        views.cells(quote(seen, place))
        views.book(quote(seen, place))
    drawn(views.orders(seen, 10, 80))
    drawn(views.headline(seen, 80))
    drawn(views.event(seen))


def test_a_client_that_invents_symbols_and_orders_fills_no_memory() -> None:
    seen = Picture()
    for number in range(5_000):
        seen.take(f"kis/market/m/v/trade/{number}", b"{}")
        seen.take(f"kis/market/m/v/kind{number}/one", b"{}")
        seen.take(f"kis/orders/main/x/state/{number}", b"{}")
    assert len(seen.places()) == 4_000
    assert len(list(seen.orders())) == 2_000
    assert len(seen._symbols[TradedSymbol("m", "v", "one")].values) < 20


def test_a_symbol_that_is_taken_back_is_gone() -> None:
    seen = picture((TRADE, trade()), (TRADE, b""))
    assert seen.places() == []
    assert seen.quote(SAMSUNG, NOW) is None


def test_text_of_others_gives_the_terminal_no_orders() -> None:
    seen = picture(
        order("a-1", symbol="\x1b[2J\u202e", state="\x07", side="\x9b"),
        ("kis/bridge/event/x\x1b", {"a": "\x1b]0;"}),
    )
    for shown in (
        views.orders(seen, 10, 100),
        views.event(seen),
        Text(row(picture((TRADE, trade(name="\x1b[31m"))))),
    ):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(drawn(shown, 100))
