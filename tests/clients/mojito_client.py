"""What users of mojito do first: only its hosts are other ones.

Its overseas orders and balances are left out: it sends TR ids that KIS has taken out of use.
"""

from __future__ import annotations

from typing import Any

import mojito
import mojito.koreainvestment as module
from steps import KIS, Inbox, step

HOST = "ws://ops.koreainvestment.com:21000"
_connect = module.websockets.connect


def base_url(self: Any, mock: bool = True) -> None:
    self.base_url = KIS["rest"]


def connect(uri: str, **others: Any) -> Any:
    return _connect(uri.replace(HOST, KIS["ws"]), **others)


mojito.KoreaInvestment.set_base_url = base_url
module.websockets.connect = connect


def good(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["rt_cd"] != "0":
        raise RuntimeError(answer["msg1"])
    return answer


def filled(answer: dict[str, Any], block: str) -> dict[str, Any]:
    """An answer whose rows are there and have values."""
    rows = good(answer)[block]
    first: dict[str, Any] = rows[0] if isinstance(rows, list) else rows
    if not any(value.strip("0. ") for value in first.values()):
        raise RuntimeError(f"nothing in {first}")
    return first


keys = {"api_key": KIS["app_key"], "api_secret": KIS["app_secret"], "acc_no": KIS["account"]}
seoul = step("token", lambda: mojito.KoreaInvestment(**keys))
nasdaq = mojito.KoreaInvestment(**keys, exchange="나스닥")

price = step("price", lambda: int(filled(seoul.fetch_price("005930"), "output")["stck_prpr"]))
for frame in "DWM":
    step(f"chart {frame}", lambda f=frame: filled(seoul.fetch_ohlcv("005930", f), "output2"))
step("recent chart", lambda: filled(seoul.fetch_ohlcv_recent30("005930"), "output"))
# Its own loop over the pages ends only when one begins at nine, which an exchange that is open day
# and night has no reason to do.
step("minute chart", lambda: seoul._fetch_today_1m_ohlcv("005930", "153000")["output2"][0])
step("overseas price", lambda: filled(nasdaq.fetch_price("AAPL"), "output")["last"])
for frame in "DWM":
    step(
        f"overseas chart {frame}",
        lambda f=frame: filled(nasdaq.fetch_ohlcv("AAPL", f), "output2"),
    )
step("balance", lambda: seoul.fetch_balance()["output2"][0]["dnca_tot_amt"])
step("present balance", lambda: filled(nasdaq.fetch_present_balance(), "output3"))
step("orderable", lambda: filled(seoul.check_buy_order("005930", 200_000, "00"), "output"))

stream = module.KoreaInvestmentWS(
    KIS["app_key"], KIS["app_secret"], ["H0STCNT0", "H0STASP0"], ["005930"], KIS["hts_id"]
)
stream.base_url = KIS["rest"]
stream.start()
inbox = Inbox(stream.queue)
step("a price", lambda: int(inbox.wait(lambda m: m[0] == "체결")[1]["주식현재가"]))
step("a book", lambda: int(inbox.wait(lambda m: m[0] == "호가")[1]["매도호가01"]))

order = step("order", lambda: good(seoul.create_limit_buy_order("005930", 200_000, 3))["output"])
open_ones = dict.fromkeys(("CTX_AREA_FK100", "CTX_AREA_NK100"), "")
open_ones |= {"INQR_DVSN_1": "0", "INQR_DVSN_2": "0"}
step("open orders", lambda: filled(seoul.fetch_open_order(open_ones), "output")["odno"])
changed = step(
    "modify",
    lambda: good(
        seoul.modify_order(order["KRX_FWDG_ORD_ORGNO"], order["ODNO"], "00", 200_500, 3, total=True)
    )["output"],
)
step(
    "cancel",
    lambda: good(seoul.cancel_order(changed["KRX_FWDG_ORD_ORGNO"], changed["ODNO"], 3, total=True)),
)
step("market order", lambda: good(seoul.create_market_buy_order("005930", 1)))
step("an execution", lambda: inbox.wait(lambda m: m[0] == "체잔" and m[1]["체결여부"] == "2")[1])
stream.terminate()
