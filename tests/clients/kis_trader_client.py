"""What users of kis-trader do first: only its hosts are other ones."""

from __future__ import annotations

import tempfile
import urllib.request
from datetime import date, timedelta
from urllib.parse import urlsplit

from kis_trader import KISClient
from kis_trader._internal import _endpoints
from steps import KIS, step

_endpoints._BASE_URL_BY_ENVIRONMENT["real"] = KIS["rest"]
_endpoints._WEBSOCKET_URL_BY_ENVIRONMENT["real"] = KIS["ws"]

TODAY, MONTH_AGO = date.today(), date.today() - timedelta(days=30)  # noqa: DTZ011 - as users do


def fetch(url: str) -> bytes:
    """Get a file of symbols where KIS has it, on the other host."""
    with urllib.request.urlopen(KIS["rest"] + urlsplit(url).path) as answer:  # noqa: S310
        return bytes(answer.read())


kis = KISClient(
    app_key=KIS["app_key"],
    app_secret=KIS["app_secret"],
    account=KIS["account"],
    hts_id=KIS["hts_id"],
    environment="real",
    config_dir=tempfile.mkdtemp(),
    master_fetch=fetch,
    throttle=False,
)
stock = kis.domestic.stock("005930")

price = step("price", lambda: stock.quote().current_price)
step("book", lambda: stock.order_book().asks[0].price)
step("trades", lambda: stock.trades()[0].price)
step("day chart", lambda: len(stock.bars("1d", start=MONTH_AGO)))
step("minute chart", lambda: len(stock.bars("1m", max_bars=10)))
step("overseas price", lambda: kis.overseas.stock("AAPL").quote().current_price)
step("overseas day chart", lambda: len(kis.overseas.stock("AAPL").bars("1d", start=MONTH_AGO)))
step("index", lambda: kis.domestic.index("0001").quote())
step("future", lambda: kis.domestic.futures("101W09").quote())
step("balance", lambda: kis.account.balance())
step("domestic balance", lambda: kis.account.domestic.balance())
step("positions", lambda: kis.account.domestic.positions()[0])
step("overseas balance", lambda: kis.account.overseas.balance())
step("buyable", lambda: stock.buyable())

with kis.realtime() as live:
    live.start()
    trades = step("prices in real time", lambda: live.domestic.stock("005930").trades())
    step("a price", lambda: next(trades).current_price)
    notices = step(
        "executions in real time", lambda: live.domestic.execution_notices.stock(KIS["hts_id"])
    )
    order = step("order", lambda: stock.buy(quantity=3, limit_price=200_000))
    step("open orders", lambda: kis.account.domestic.open_orders()[0])
    step("all open orders", lambda: kis.orders.open_orders())
    step("modify", lambda: kis.orders.modify(order.client_order_id, limit_price=200_500))
    step("cancel", lambda: kis.orders.cancel(order.client_order_id))
    bought = step("market order", lambda: stock.buy(quantity=1))
    step("an execution", lambda: next(n for n in notices if n.fill_status == "2"))
    step("daily orders", lambda: kis.account.domestic.order_history(start=TODAY, end=TODAY))
