"""What the simulator's charts tell is what its WebSocket has told."""

from __future__ import annotations

import pytest

from bridge.catalog.compile import load
from tests.component.kis_client import simulated

CATALOG = load()
STOCKS = "/uapi/domestic-stock/v1/quotations/"
ABROAD = "/uapi/overseas-price/v1/quotations/"
STOCK = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": "005930"}


@pytest.mark.parametrize(
    ("trade", "key", "chart", "params", "names"),
    [
        (
            *("H0STCNT0", "005930"),
            (f"{STOCKS}inquire-daily-price", "FHKST01010400", "output"),
            STOCK | {"FID_PERIOD_DIV_CODE": "D", "FID_ORG_ADJ_PRC": "0"},
            {
                "STCK_OPRC": "stck_oprc",
                "STCK_HGPR": "stck_hgpr",
                "STCK_LWPR": "stck_lwpr",
                "STCK_PRPR": "stck_clpr",
                "ACML_VOL": "acml_vol",
            },
        ),
        (
            *("HDFSCNT0", "DNASAAPL"),
            (f"{ABROAD}dailyprice", "HHDFS76240000", "output2"),
            {
                "AUTH": "",
                "EXCD": "NAS",
                "SYMB": "AAPL",
                "GUBN": "0",
                "BYMD": "",
                "MODP": "0",
            },
            {"OPEN": "open", "HIGH": "high", "LOW": "low", "LAST": "clos", "TVOL": "tvol"},
        ),
    ],
)
async def test_the_bar_of_today_is_what_the_last_trade_told(
    trade: str,
    key: str,
    chart: tuple[str, str, str],
    params: dict[str, str],
    names: dict[str, str],
) -> None:
    fields = [field.name for field in CATALOG.channels[trade].layouts[0].fields]
    path, tr_id, block = chart
    async with simulated(environment="real") as kis, kis.socket() as socket:
        assert (await socket.ask(trade, key)).msg_cd == "OPSP0000"
        kis.simulator.step(0.5)
        frame = await socket.frame(trade)
        width = len(frame.body.split("^")) // frame.count
        last = dict(zip(fields, frame.body.split("^")[-width:], strict=False))
        today, *_ = (await kis.call(path, tr_id, params)).json()[block]
        assert {one: last[one] for one in names} == {one: today[to] for one, to in names.items()}
