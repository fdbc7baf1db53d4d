"""Every channel of KIS says something soon after somebody has registered for it."""

from __future__ import annotations

from bridge.catalog.compile import load
from bridge.catalog.model import Channel
from bridge.kis.frames import Acknowledgement, DataFrame, parse
from tests.component.kis_client import Client, simulated

CATALOG = load()
KEYS = {
    "domestic_stock": "005930",
    "domestic_etf": "069500",
    "domestic_index": "0001",
    "domestic_elw": "57LA24",
    "domestic_bond": "KR2033022D33",
    "domestic_derivative": "101W09",
    "overseas_stock": "DNASAAPL",
    "overseas_derivative": "FCAZ26",
}
OTHER_KEYS = {"HDFSASP1": "DHKS00003", "H0BICNT0": "KBPR01"}
SLOTS = 41

FUTURES = "/uapi/domestic-futureoption/v1/trading/order"
OVERSEAS = "/uapi/overseas-stock/v1/trading/order"
FUTURE = {"SLL_BUY_DVSN_CD": "02", "ORD_QTY": "1", "UNIT_PRICE": "0", "ORD_DVSN_CD": "02"}
FUTURE |= {"ORD_PRCS_DVSN_CD": "02", "NMPR_TYPE_CD": "", "KRX_NMPR_CNDT_CD": ""}
CONTRACTS = "/uapi/overseas-futureoption/v1/trading/order"
CONTRACT = {"OVRS_FUTR_FX_PDNO": "ESZ26", "SLL_BUY_DVSN_CD": "02", "PRIC_DVSN_CD": "1"}
CONTRACT |= {"FM_STOP_ORD_PRIC": "0", "FM_ORD_QTY": "1", "CCLD_CNDT_CD": "6"}
ORDERS = {
    "H0IFCNI0": ("-03", FUTURES, "TTTO1101U", FUTURE | {"SHTN_PDNO": "101W09"}),
    "H0MFCNI0": ("-03", FUTURES, "STTN1101U", FUTURE | {"SHTN_PDNO": "101W09"}),
    "H0EUCNI0": ("-03", FUTURES, "STTN1101U", FUTURE | {"SHTN_PDNO": "201W09330"}),
    "HDFFF1C0": ("-08", CONTRACTS, "OTFM3001U", CONTRACT | {"FM_LIMIT_ORD_PRIC": "1000"}),
    "HDFFF2C0": ("-08", CONTRACTS, "OTFM3001U", CONTRACT | {"FM_LIMIT_ORD_PRIC": "9000"}),
    "H0GSCNI0": (
        "-01",
        OVERSEAS,
        "TTTT1002U",
        {
            "OVRS_EXCG_CD": "NASD",
            "PDNO": "AAPL",
            "ORD_QTY": "1",
            "OVRS_ORD_UNPR": "1.00",
            "ORD_DVSN": "00",
            "ORD_SVR_DVSN_CD": "0",
        },
    ),
}
"""Channel of notices → account, path, TR id and parameters of an order that it tells of."""


def key_of(channel: Channel) -> str:
    return OTHER_KEYS.get(channel.tr_id, KEYS[channel.market])


async def silent(kis: Client, keys: dict[str, str]) -> set[str]:
    """Register for all of these; return those that send nothing in a fifth of a second."""
    waiting = set(keys)
    async with kis.socket() as socket:
        for tr_id, key in keys.items():
            assert (await socket.ask(tr_id, key)).msg_cd == "OPSP0000", tr_id
        kis.simulator.step(0.2)
        await socket.send("none", "")  # its answer comes after all that was sent before
        while not isinstance(message := parse(await socket.text()), Acknowledgement):
            if isinstance(message, DataFrame):
                waiting.discard(message.tr_id)
    return waiting


async def order(kis: Client, ending: str, path: str, tr_id: str, params: dict[str, str]) -> None:
    account = next(one for one in kis.customer.accounts if one.endswith(ending))
    number, product = account.split("-")
    owner = {"CANO": number, "ACNT_PRDT_CD": product}
    body = (await kis.call(path, tr_id, owner | params)).json()
    assert body["rt_cd"] == "0", body


async def test_every_channel_of_market_data_speaks_within_moments() -> None:
    keys = {
        channel.tr_id: key_of(channel)
        for channel in CATALOG.channels.values()
        if not channel.encrypted
    }
    assert len(keys) == 53
    names = list(keys)
    async with simulated(environment="real") as kis:
        for part in (names[:SLOTS], names[SLOTS:]):
            assert await silent(kis, {name: keys[name] for name in part}) == set()


async def test_a_second_reader_is_told_as_soon_as_the_first() -> None:
    async with (
        simulated(environment="real", clients=2) as kis,
        kis.socket() as one,
        kis.as_another(2).socket() as other,
    ):
        for socket in (one, other):
            assert (await socket.ask("H0STMKO0", "005930")).msg_cd == "OPSP0000"
            kis.simulator.step(0.01)
            assert (await socket.frame("H0STMKO0")).count == 1


async def test_every_channel_of_notices_tells_of_an_order() -> None:
    notices = {one.tr_id for one in CATALOG.channels.values() if one.encrypted}
    assert notices == {"H0STCNI0", *ORDERS}
    async with simulated(environment="real") as kis, kis.socket() as socket:
        for tr_id in notices:
            assert (await socket.ask(tr_id, kis.customer.hts_id)).msg_cd == "OPSP0000"
        assert (await kis.place(1, 200_000, tr_id="TTTC0012U"))["rt_cd"] == "0"
        assert (await socket.frame("H0STCNI0")).encrypted
        for tr_id, (ending, path, call, params) in ORDERS.items():
            await order(kis, ending, path, call, params)
            assert (await socket.frame(tr_id)).encrypted
