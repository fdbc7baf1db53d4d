"""What users of python-kis do first: only its hosts are other ones."""

from __future__ import annotations

import pykis.client.websocket
import pykis.kis
from pykis import PyKis
from steps import KIS, Inbox, step

pykis.kis.REAL_DOMAIN = KIS["rest"]
pykis.client.websocket.WEBSOCKET_REAL_DOMAIN = KIS["ws"]


def open_numbers() -> list[str]:
    return [one.number for one in account.pending_orders()]


def same(found: object, wanted: object) -> object:
    if found != wanted:
        raise RuntimeError(f"{found} instead of {wanted}")
    return found


kis = PyKis(
    id=KIS["hts_id"],
    account=KIS["account"],
    appkey=KIS["app_key"],
    secretkey=KIS["app_secret"],
    keep_token=False,
)
stock, account = kis.stock("005930"), kis.account()

step("token", lambda: kis.primary_token.type)
step("price", lambda: stock.quote().price)
step("book", lambda: stock.orderbook().asks[0].price)
step("day chart", lambda: len(stock.chart("30d").bars))
step("minute chart", lambda: len(stock.day_chart().bars))
step("week chart", lambda: len(stock.chart("1y", period="week").bars))
step("overseas price", lambda: kis.stock("AAPL").quote().price)
step("overseas book", lambda: kis.stock("AAPL").orderbook().asks[0].price)
step("overseas day chart", lambda: len(kis.stock("AAPL").chart("30d").bars))
step("hours", lambda: kis.trading_hours("US").open)
step("balance", lambda: account.balance().deposits["KRW"].amount)
step("orderable", lambda: account.orderable_amount(market="KRX", symbol="005930").qty)

inbox = Inbox()
ticket = step("prices in real time", lambda: stock.on("price", lambda _, e: inbox.put(e.response)))
step("a price", lambda: inbox.wait().price)
fills = Inbox()
notices = step(
    "executions in real time", lambda: account.on("execution", lambda _, e: fills.put(e.response))
)

low = step("a price to wait at", lambda: stock.quote().low_limit)
order = step("order", lambda: stock.buy(price=low, qty=3))
step("open orders", lambda: open_numbers().index(order.number))
order = step("modify", lambda: order.modify(price=low + 500)) or order
step("cancel", lambda: order.cancel())
step("no open orders", lambda: same(open_numbers(), []))
bought = step("market order", lambda: stock.buy(qty=1))
step("an execution", lambda: fills.wait(lambda e: e.executed_quantity == 1).price)
step("daily orders", lambda: account.daily_orders(bought.time.date()).orders[0].number)
