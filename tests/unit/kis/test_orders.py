from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.catalog.compile import load
from bridge.catalog.model import Catalog
from bridge.errors import DecodeError, WorkbookError
from bridge.kis.executions import notice
from bridge.kis.listing import ask
from bridge.kis.markets import OrderTypes, order_types, venue
from bridge.kis.orders import (
    Accepted,
    Credit,
    OrderCall,
    Rejected,
    Unreadable,
    change,
    outcome,
    place,
)
from bridge.kis.replies import Reply

CATALOG = load()
TYPES: OrderTypes = order_types(CATALOG, paper=False)
ACCOUNT = "12345678-01"
STOCK, WORLD = "domestic_stock", ("overseas_derivative", "all")


def buy(catalog: Catalog = CATALOG, **fields: Any) -> OrderCall:
    values: dict[str, Any] = {
        "account": ACCOUNT,
        "side": "buy",
        "at": venue((STOCK, "krx")),
        "symbol": "005930",
        "order_type": TYPES[STOCK, "krx"]["limit"],
        "quantity": 10,
        "price": Decimal(71900),
        "condition_price": None,
    }
    return place(catalog, **(values | fields))


def test_a_new_order_on_the_wire() -> None:
    call = buy()
    assert (call.api, call.variant) == ("domestic_stock/order_cash", "buy")
    assert call.params == {
        "CANO": "12345678",
        "ACNT_PRDT_CD": "01",
        "PDNO": "005930",
        "ORD_DVSN": "00",
        "ORD_QTY": "10",
        "ORD_UNPR": "71900",
        "EXCG_ID_DVSN_CD": "KRX",
    }
    assert "12345678" not in repr(call)


def test_market_stop_and_venues_on_the_wire() -> None:
    sor, nxt = venue((STOCK, "sor")), venue((STOCK, "nxt"))
    market = buy(order_type=TYPES[STOCK, "sor"]["market"], price=None, at=sor, side="sell")
    assert market.variant == "sell"
    assert (market.params["ORD_DVSN"], market.params["ORD_UNPR"]) == ("01", "0")
    assert market.params["EXCG_ID_DVSN_CD"] == "SOR"
    kind = TYPES[STOCK, "nxt"]["stop_limit"]
    stop = buy(order_type=kind, condition_price=Decimal(70000), at=nxt)
    assert (stop.params["ORD_DVSN"], stop.params["CNDT_PRIC"]) == ("22", "70000")


def test_changes_on_the_wire() -> None:
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "at": venue((STOCK, "krx")),
        "symbol": "005930",
        "org_no": "91254",
        "order_no": "0000063291",
        "order_type": TYPES[STOCK, "krx"]["limit"],
    }
    whole: dict[str, Any] = {"quantity": 10, "whole": True}
    modify = change(CATALOG, kind="modify", price=Decimal(72000), **whole, **fields)
    assert modify.api == "domestic_stock/order_rvsecncl"
    assert modify.params == {
        "CANO": "12345678",
        "ACNT_PRDT_CD": "01",
        "KRX_FWDG_ORD_ORGNO": "91254",
        "ORGN_ODNO": "0000063291",
        "ORD_DVSN": "00",
        "RVSE_CNCL_DVSN_CD": "01",
        "ORD_QTY": "0",
        "ORD_UNPR": "72000",
        "QTY_ALL_ORD_YN": "Y",
        "EXCG_ID_DVSN_CD": "KRX",
    }
    cancel = change(CATALOG, kind="cancel", quantity=3, whole=False, price=None, **fields)
    assert cancel.params["RVSE_CNCL_DVSN_CD"] == "02"
    assert (cancel.params["ORD_QTY"], cancel.params["QTY_ALL_ORD_YN"]) == ("3", "N")
    assert cancel.params["ORD_UNPR"] == "0"
    stop = change(
        CATALOG,
        kind="modify",
        price=Decimal(1),
        condition_price=Decimal(2),
        **whole,
        **fields,
    )
    assert stop.params["CNDT_PRIC"] == "2"


def test_order_types_come_from_the_workbook() -> None:
    assert TYPES[STOCK, "krx"]["limit"].priced
    assert not TYPES[STOCK, "krx"]["market"].priced
    assert TYPES[STOCK, "krx"]["stop_limit"].conditional
    assert "market" not in TYPES[STOCK, "nxt"]
    assert not {name for name, kind in TYPES[STOCK, "sor"].items() if kind.conditional}
    for (market, _), types in TYPES.items():
        for name, kind in types.items() if market == STOCK else ():
            wanted = "limit" in name and name not in ("best_limit", "top_priority_limit")
            assert kind.priced is (wanted or name == "after_hours_single_price"), name


def test_paper_knows_fewer_places_and_types() -> None:
    paper = order_types(CATALOG, paper=True)
    assert [where for market, where in paper if market == STOCK] == ["krx"]
    assert [where for market, where in TYPES if market == STOCK] == [
        *("krx", "nxt", "sor"),
        "krx_reserved",
    ]
    assert ("domestic_derivative", "krx_night") in TYPES.keys() - paper.keys()
    assert set(paper["overseas_stock", "nas"]) == {"limit"}
    assert set(TYPES["overseas_stock", "nas"]) == {"limit", "loo", "loc", "moo", "moc"}
    assert set(TYPES["overseas_stock", "hks"]) == {"limit", "odd_lot_limit"}
    assert TYPES["overseas_stock", "nas"]["moc"].sides == {"sell"}
    assert not TYPES["overseas_stock", "nas"]["moc"].priced


def test_every_order_that_is_offered_can_be_written() -> None:
    """Each place, type and side, in both environments: the workbook has what it takes."""
    for paper in (True, False):
        for where, types in order_types(CATALOG, paper=paper).items():
            at = venue(where)
            for kind in types.values():
                for side in kind.sides:
                    price = Decimal("10.5") if kind.priced else None
                    call = buy(at=at, order_type=kind, side=side, price=price, symbol="A01603")
                    cancel = change(
                        CATALOG,
                        kind="cancel",
                        account=ACCOUNT,
                        at=at,
                        symbol="A01603",
                        org_no="1",
                        order_no="7",
                        order_type=kind,
                        quantity=1,
                        whole=True,
                        price=None,
                    )
                    for one in (call, cancel):
                        ids = {ids.variant: ids for ids in CATALOG.apis[one.api].tr_ids}
                        tr_id = ids[one.variant]
                        assert tr_id.paper if paper else tr_id.real, (where, kind.name)
                        assert one.params["CANO"] == "12345678"
                        assert one.market == where[0]


def test_overseas_orders_on_the_wire() -> None:
    at = venue(("overseas_stock", "nas"))
    limit = TYPES["overseas_stock", "nas"]["limit"]
    call = buy(at=at, symbol="AAPL", order_type=limit, price=Decimal("145.5"))
    assert (call.api, call.variant) == ("overseas_stock/order", "us_buy")
    assert {name: call.params[name] for name in ("OVRS_EXCG_CD", "PDNO", "OVRS_ORD_UNPR")} == {
        "OVRS_EXCG_CD": "NASD",
        "PDNO": "AAPL",
        "OVRS_ORD_UNPR": "145.5",
    }
    assert (call.params["ORD_SVR_DVSN_CD"], call.params["ORD_DVSN"]) == ("0", "00")
    assert "SLL_TYPE" not in call.params
    sale = buy(at=venue(("overseas_stock", "hks")), symbol="00700", side="sell", order_type=limit)
    assert (sale.variant, sale.params["SLL_TYPE"]) == ("hongkong_sell", "00")
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "symbol": "AAPL",
        "org_no": "1",
        "order_no": "30135009",
        "order_type": limit,
        "quantity": 7,
        "whole": True,
    }
    modify = change(CATALOG, kind="modify", at=at, price=Decimal("146.1"), **fields)
    assert (modify.variant, modify.params["RVSE_CNCL_DVSN_CD"]) == ("us", "01")
    assert (modify.params["ORD_QTY"], modify.params["OVRS_ORD_UNPR"]) == ("7", "146.1")
    shanghai = venue(("overseas_stock", "shs"))
    cancel = change(CATALOG, kind="cancel", at=shanghai, price=None, **fields)
    assert (cancel.variant, cancel.params["OVRS_ORD_UNPR"]) == ("shanghai_cancel_only", "0")


@pytest.mark.parametrize(
    ("side", "kind", "code"),
    [("buy", "own_margin_loan_new", "21"), ("sell", "market_margin_loan_repaid", "27")],
)
def test_credit_orders_on_the_wire(side: str, kind: str, code: str) -> None:
    call = buy(side=side, credit=Credit(kind, "20261123"))
    assert (call.api, call.variant) == ("domestic_stock/order_credit", side)
    assert (call.params["CRDT_TYPE"], call.params["LOAN_DT"]) == (code, "20261123")
    assert call.params["EXCG_ID_DVSN_CD"] == "KRX"


def test_daytime_orders_have_calls_of_their_own() -> None:
    at = venue(("overseas_stock", "baq"))
    kind = TYPES["overseas_stock", "baq"]["limit"]
    assert set(TYPES["overseas_stock", "baq"]) == {"limit"}
    call = buy(at=at, symbol="AAPL", order_type=kind, price=Decimal("145.5"))
    assert (call.api, call.variant) == ("overseas_stock/daytime_order", "buy")
    assert call.params["OVRS_EXCG_CD"] == "NASD"
    assert (call.params["ORD_DVSN"], call.params["OVRS_ORD_UNPR"]) == ("00", "145.5")
    gone = cancelled(at, "AAPL", kind)
    assert (gone.api, gone.variant) == ("overseas_stock/daytime_order_rvsecncl", "")
    assert (gone.params["RVSE_CNCL_DVSN_CD"], gone.params["ORD_QTY"]) == ("02", "3")


def test_bond_orders_on_the_wire() -> None:
    at, symbol = venue(("domestic_bond", "krx")), "KR6095572D81"
    kind = TYPES["domestic_bond", "krx"]["limit"]
    bought = buy(at=at, symbol=symbol, order_type=kind, price=Decimal("10450.5"))
    assert (bought.api, bought.params) == (
        "domestic_bond/buy",
        {
            "CANO": "12345678",
            "ACNT_PRDT_CD": "01",
            "PDNO": symbol,
            "ORD_QTY2": "10",
            "BOND_ORD_UNPR": "10450.5",
            "SAMT_MKET_PTCI_YN": "N",
            "BOND_RTL_MKET_YN": "N",
            "ORD_SVR_DVSN_CD": "0",
            "CTAC_TLNO": "",
        },
    )
    small = venue(("domestic_bond", "krx_small"))
    sold = buy(at=small, side="sell", symbol=symbol, order_type=kind, price=Decimal(10450))
    assert sold.api == "domestic_bond/sell"
    assert (sold.params["SAMT_MKET_PTCI_YN"], sold.params["SPRX_YN"]) == ("Y", "N")
    assert (sold.params["ORD_DVSN"], sold.params["BUY_DT"], sold.params["BUY_SEQ"]) == (
        *("01", ""),
        "",
    )
    gone = cancelled(at, symbol, kind)
    assert gone.api == "domestic_bond/order_rvsecncl"
    assert (gone.params["ORGN_ODNO"], gone.params["QTY_ALL_ORD_YN"]) == ("0000117057", "Y")
    assert (gone.params["RVSE_CNCL_DVSN_CD"], gone.params["ORD_QTY2"]) == ("02", "3")


@pytest.mark.parametrize(
    ("kind", "price", "condition", "sent"),
    [
        ("limit", "68.82", None, ("1", "68.82", "", "6")),
        ("market", None, None, ("2", "", "", "2")),
        ("stop", None, "70.5", ("3", "", "70.5", "6")),
        ("stop_limit", "70.6", "70.5", ("4", "70.6", "70.5", "6")),
    ],
)
def test_contracts_overseas_on_the_wire(
    kind: str, price: str | None, condition: str | None, sent: tuple[str, ...]
) -> None:
    at, order_type = (
        venue(WORLD),
        TYPES[WORLD][kind],
    )
    prices: dict[str, Any] = {
        "price": None if price is None else Decimal(price),
        "condition_price": None if condition is None else Decimal(condition),
    }
    call = buy(at=at, symbol="CLF27", order_type=order_type, **prices)
    assert (call.api, call.variant) == ("overseas_futureoption/order", "")
    names = ("PRIC_DVSN_CD", "FM_LIMIT_ORD_PRIC", "FM_STOP_ORD_PRIC", "CCLD_CNDT_CD")
    assert tuple(call.params[name] for name in names) == sent
    assert (call.params["SLL_BUY_DVSN_CD"], call.params["FM_ORD_QTY"]) == ("02", "10")
    gone = cancelled(at, "CLF27", order_type, org_no="20261123")
    assert (gone.api, gone.variant) == ("overseas_futureoption/order_rvsecncl", "cancel")
    assert (gone.params["ORGN_ORD_DT"], gone.params["ORGN_ODNO"]) == ("20261123", "0000117057")


def test_the_day_of_an_order_overseas_comes_with_its_number() -> None:
    call = buy(at=venue(WORLD), symbol="CLF27", order_type=TYPES[WORLD]["limit"])
    body = {"rt_cd": "0", "output": {"ORD_DT": "20261123", "ODNO": "00298044"}}
    answer = outcome(CATALOG, call, Reply("0", "", "", body))
    assert isinstance(answer, Accepted)
    assert (answer.order_no, answer.org_no) == ("00298044", "20261123")


def cancelled(at: Any, symbol: str, kind: Any, org_no: str = "1") -> OrderCall:
    return change(
        *(CATALOG,),
        kind="cancel",
        account=ACCOUNT,
        at=at,
        symbol=symbol,
        org_no=org_no,
        order_no="0000117057",
        order_type=kind,
        quantity=3,
        whole=True,
        price=None,
    )


def test_derivative_orders_on_the_wire() -> None:
    where = ("domestic_derivative", "krx")
    call = buy(
        at=venue(where),
        symbol="A01603",
        order_type=TYPES[where]["limit_ioc"],
        price=Decimal("460.05"),
        side="sell",
    )
    assert (call.api, call.variant) == ("domestic_futureoption/order", "day")
    assert (call.params["NMPR_TYPE_CD"], call.params["KRX_NMPR_CNDT_CD"]) == ("01", "3")
    assert (call.params["ORD_DVSN_CD"], call.params["UNIT_PRICE"]) == ("10", "460.05")
    assert (call.params["SLL_BUY_DVSN_CD"], call.params["ORD_PRCS_DVSN_CD"]) == ("01", "02")
    best = buy(at=venue(where), symbol="A01603", order_type=TYPES[where]["best_fok"], price=None)
    assert (best.params["NMPR_TYPE_CD"], best.params["KRX_NMPR_CNDT_CD"]) == ("04", "4")
    night = change(
        CATALOG,
        kind="cancel",
        account=ACCOUNT,
        at=venue(("domestic_derivative", "krx_night")),
        symbol="C01603955",
        org_no="",
        order_no="7",
        order_type=TYPES[where]["market"],
        quantity=2,
        whole=True,
        price=None,
    )
    assert (night.variant, night.params["FUOP_ITEM_DVSN_CD"]) == ("night", "03")
    assert (night.params["ORD_DVSN_CD"], night.params["RMN_QTY_YN"]) == ("01", "Y")
    assert night.params["ORD_QTY"] == "2"


def test_a_workbook_without_what_is_needed_is_named() -> None:
    order = CATALOG.apis["domestic_stock/order_cash"]
    without = replace(order, params=tuple(p for p in order.params if p.path != "symbol"))
    with pytest.raises(WorkbookError, match=r"order_cash has no path 'symbol'"):
        buy(replace(CATALOG, apis={without.name: without}))
    with pytest.raises(WorkbookError, match="order_cash"):
        buy(replace(CATALOG, apis={}))
    with pytest.raises(WorkbookError, match="'order_type_krx'"):
        order_types(replace(CATALOG, codes={}), paper=True)
    with pytest.raises(WorkbookError, match="has no 'limit'"):
        buy(replace(CATALOG, codes={}))


def reply(output: object, rt_cd: str = "0") -> Reply:
    return Reply(rt_cd, "APBK0013", "주문 전송 완료   ", {"rt_cd": rt_cd, "output": output})


def test_answers() -> None:
    call = buy()
    words = {"rt_cd": "0", "msg_cd": "APBK0013", "msg1": "주문 전송 완료"}
    output = {"KRX_FWDG_ORD_ORGNO": "91254", "ODNO": "0000063291", "ORD_TMD": "094745"}
    expected = Accepted("0000063291", "91254", words)
    assert outcome(CATALOG, call, reply(output)) == expected
    assert outcome(CATALOG, call, reply([output])) == expected
    rejected = outcome(CATALOG, call, reply(output, "7"))
    assert rejected == Rejected(words | {"rt_cd": "7"})


@pytest.mark.parametrize("output", [None, {}, [], "x", {"ODNO": ""}, {"ODNO": "0000"}, {"ODNO": 7}])
def test_success_without_an_order_number_is_unreadable(output: object) -> None:
    assert isinstance(outcome(CATALOG, buy(), reply(output)), Unreadable)


RAW: dict[str, str] = {
    "account": "1234567801",
    "order_no": "0000002891",
    "original_order_no": "",
    "side": "02",
    "modify_cancel": "0",
    "symbol": "136480",
    "quantity": "0000000001",
    "price": "000003190",
    "time": "094941",
    "rejected": "0",
    "filled": "2",
    "acceptance": "2",
    "order_quantity": "000000010",
}


def test_a_fill_takes_the_filled_quantity_not_the_ordered() -> None:
    found = notice(RAW)
    assert (found.kind, found.quantity, found.price) == ("fill", 1, Decimal(3190))
    assert (found.side, found.order_no, found.original_order_no) == ("buy", "0000002891", "")
    assert "1234567801" not in repr(found)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"filled": "1", "acceptance": "1"}, "taken"),
        ({"filled": "1", "rejected": "1"}, "rejected"),
        ({"filled": "1", "acceptance": "3"}, "cancelled"),
        (
            {"filled": "1", "modify_cancel": "1", "acceptance": "2", "original_order_no": "7"},
            "modified",
        ),
        (
            {"filled": "1", "modify_cancel": "2", "acceptance": "2", "original_order_no": "7"},
            "cancelled",
        ),
        (
            {"filled": "1", "modify_cancel": "2", "acceptance": "1", "original_order_no": "7"},
            "taken",
        ),
    ],
)
def test_kinds(fields: dict[str, str], kind: str) -> None:
    assert notice(RAW | fields).kind == kind


def test_both_layouts_of_the_recorded_notices_read_the_same() -> None:
    channel = CATALOG.channel("H0STCNI0")
    assert channel is not None
    assert {layout.width for layout in channel.layouts} == {26, 23}
    for layout in channel.layouts:
        assert {field.path for field in layout.fields} >= RAW.keys()
    old = channel.layout(23)
    assert old is not None
    body = (
        "HTS ID^0000000000^0000002891^^02^0^00^0^136480^0000000001^000003190^094941^0^2^2^06010^"
        "000000001^000^하림^10^^하림^000000000"
    )
    values = {f.path: v for f, v in zip(old.fields, body.split("^"), strict=True)}
    assert (notice(values).kind, notice(values).price) == ("fill", Decimal(3190))


def test_prices_of_other_markets_have_implied_decimals() -> None:
    overseas = RAW | {"price": "001480100", "overseas_class": "6"}
    assert notice(overseas, "overseas_stock").price == Decimal("148.01")
    assert notice(overseas | {"overseas_class": "D"}, "overseas_stock").price == Decimal(148010)
    assert notice(overseas | {"overseas_class": "F"}, "overseas_stock").price == Decimal(1480100)
    for unknown in ("", "G", "06"):
        with pytest.raises(DecodeError, match="'overseas_class'"):
            notice(overseas | {"overseas_class": unknown}, "overseas_stock")
    assert notice(RAW | {"price": "007840000"}, "domestic_derivative").price == Decimal(78400)
    for tr_id in ("H0GSCNI0", "H0IFCNI0"):
        channel = CATALOG.channel(tr_id)
        assert channel is not None
        for layout in channel.layouts:
            assert {field.path for field in layout.fields} >= RAW.keys()


CONTRACT = {
    "account": "1234567808",
    "order_no": "00298044",
    "original_order_no": "",
    "symbol": "CLF27",
    "side": "02",
    "modify_cancel": "00",
    "exchange_receipt": "02",
    "order_quantity": "3",
    "order_price": "68.82",
    "operation_datetime": "20261123101500123",
}


@pytest.mark.parametrize(
    ("fields", "kind", "quantity", "price"),
    [
        ({}, "taken", 3, "68.82"),
        ({"exchange_receipt": "01"}, "taken", 3, "68.82"),
        ({"exchange_receipt": "03"}, "rejected", 3, "68.82"),
        ({"modify_cancel": "01", "original_order_no": "00298043"}, "modified", 3, "68.82"),
        ({"modify_cancel": "02", "original_order_no": "00298043"}, "cancelled", 3, "68.82"),
        ({"fill_no": "17", "quantity": "2", "price": "68.80"}, "fill", 2, "68.80"),
    ],
)
def test_notices_of_contracts_overseas(
    fields: dict[str, str], kind: str, quantity: int, price: str
) -> None:
    found = notice(CONTRACT | fields, "overseas_derivative")
    assert (found.kind, found.quantity, found.price) == (kind, quantity, Decimal(price))
    assert (found.order_no, found.side, found.symbol) == ("00298044", "buy", "CLF27")
    assert found.fill_no == fields.get("fill_no", "")


def test_the_channels_of_contracts_overseas_have_what_is_read() -> None:
    for tr_id, more in (("HDFFF1C0", set[str]()), ("HDFFF2C0", {"fill_no", "quantity", "price"})):
        channel = CATALOG.channel(tr_id)
        assert channel is not None
        for layout in channel.layouts:
            assert {field.path for field in layout.fields} >= CONTRACT.keys() | more


def test_a_broken_notice_names_the_path_only() -> None:
    with pytest.raises(DecodeError, match="'price'"):
        notice(RAW | {"price": "12x"})
    with pytest.raises(DecodeError, match="'quantity'"):
        notice(RAW | {"quantity": "1.5"})
    with pytest.raises(DecodeError, match="'order_no'"):
        notice({k: v for k, v in RAW.items() if k != "order_no"})


@given(st.dictionaries(st.sampled_from(list(RAW)), st.text(max_size=12)))
def test_random_values_raise_nothing_else(fields: dict[str, str]) -> None:
    with suppress(DecodeError):
        assert notice(RAW | fields).quantity >= 0


@pytest.mark.parametrize(
    ("market", "night"),
    [
        ("domestic_stock", False),
        ("overseas_stock", False),
        ("domestic_derivative", False),
        ("domestic_derivative", True),
        ("domestic_bond", False),
    ],
)
@pytest.mark.parametrize("paper", [True, False])
def test_a_query_of_orders_names_every_parameter(market: str, *, night: bool, paper: bool) -> None:
    call = ask(
        CATALOG,
        market=market,
        account="12345678-01",
        first=date(2026, 11, 20),
        last=date(2026, 11, 23),
        paper=paper,
        part="night" if night else "",
    )
    wanted = {param.name for param in CATALOG.apis[call.api].params}
    assert set(call.params) == wanted
    days = [value for name, value in call.params.items() if "DT" in name]
    assert "20261123" in days or (night and "20261127" in days)
