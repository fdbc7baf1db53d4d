"""Queries in the workbook's words: parameters checked, answers typed, no account number in them."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bridge.catalog.compile import load
from bridge.catalog.model import Api, Catalog, Field, Output
from bridge.config.orders import OrdersConfig
from bridge.config.requests import RequestsConfig
from bridge.errors import RequestError
from bridge.kis import params as parameters
from bridge.kis import query
from bridge.kis.answers import read
from bridge.kis.pages import next_page
from bridge.kis.replies import Reply
from bridge.kis.rest import RestClient
from bridge.kis.throttle import Priority
from bridge.mqtt import payloads
from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.requests.permissions import Permissions
from bridge.requests.verbs import Verbs
from bridge.runtime.redaction import known

CATALOG = load()
ACCOUNT = SecretStr("87654321-01")
NONE = SecretStr("")
RIGHTS = RequestsConfig.model_validate(
    {"clients": {"alice": {"query": ["domestic_stock/inquire_*"], "accounts": []}}}
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return CATALOG


def api(catalog: Catalog, name: str) -> Api:
    found = catalog.api(name)
    assert found is not None
    return found


def refusal(catalog: Catalog, name: str, wanted: dict[str, str | int], account: SecretStr) -> str:
    with pytest.raises(RequestError) as caught:
        parameters.prepare(api(catalog, name), catalog, wanted, account)
    return f"{caught.value.code}: {caught.value}"


def test_english_words_go_out_as_kis_names(catalog: Catalog) -> None:
    wire = parameters.prepare(api(catalog, "inquire_price"), catalog, {"symbol": "005930"}, NONE)
    assert wire["FID_INPUT_ISCD"] == "005930"
    assert wire["FID_COND_MRKT_DIV_CODE"] == "J"
    as_kis_does = {"FID_INPUT_ISCD": "005930"}
    assert parameters.prepare(api(catalog, "inquire_price"), catalog, as_kis_does, NONE) == wire


def test_the_account_is_filled_in(catalog: Catalog) -> None:
    wire = parameters.prepare(api(catalog, "inquire_balance"), catalog, {}, ACCOUNT)
    assert (wire["CANO"], wire["ACNT_PRDT_CD"]) == ("87654321", "01")


def test_a_code_has_a_name_and_blank_is_allowed(catalog: Catalog) -> None:
    given: dict[str, str | int] = {
        "from_date": "20260223",
        "to_date": "20260223",
        "org_no": "",
        "product": "",
    }
    call = api(catalog, "inquire_daily_ccld")
    named = parameters.prepare(call, catalog, {**given, "side": "buy"}, ACCOUNT)
    coded = parameters.prepare(call, catalog, {**given, "side": "02"}, ACCOUNT)
    assert named == coded
    assert (named["SLL_BUY_DVSN_CD"], named["INQR_DVSN_1"]) == ("02", "")
    assert "is none of" in refusal(
        catalog, "inquire_daily_ccld", {**given, "side": "hold"}, ACCOUNT
    )


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("inquire_price", {}, "invalid_request: domestic_stock/inquire_price: params.symbol is"),
        (
            "inquire_price",
            {"symbl": "1"},
            "invalid_request: domestic_stock/inquire_price: no params.symbl (did you mean symbol?)",
        ),
        ("inquire_balance", {}, "invalid_request: domestic_stock/inquire_balance needs an account"),
        ("order_cash", {}, "not_read_only: "),
        ("auth_token", {}, "not_read_only: "),
    ],
)
def test_refusals(catalog: Catalog, name: str, given: dict[str, str | int], says: str) -> None:
    assert refusal(catalog, name, given, NONE).startswith(says)


def test_an_answer_is_typed_and_named(catalog: Catalog) -> None:
    body = {
        "rt_cd": "0",
        "output": {"stck_prpr": "0071900", "prdy_ctrt": "-0.30", "unknown": "x", "per": ""},
    }
    shaped = query.shape(api(catalog, "inquire_price"), body, NONE)
    assert shaped["output"]["price"] == Decimal(71900)
    assert str(shaped["output"]["change_rate"]) == "-0.30"
    assert "x" not in shaped["output"].values()


def test_no_account_number_gets_out(catalog: Catalog) -> None:
    body = {
        "ctx_area_fk100": "87654321^01^N^N^",
        "ctx_area_nk100": "  ",
        "output1": [{"pdno": "005930", "prdt_name": "fund of 87654321"}],
        "output2": [{"dnca_tot_amt": "100"}],
    }
    shaped = query.shape(api(catalog, "inquire_balance"), body, ACCOUNT)
    assert shaped["output1"] == [{"symbol": "005930", "name": "fund of ***"}]
    assert "87654321" not in str(shaped)
    assert "continuation_condition" not in shaped


def test_no_key_and_no_login_gets_out(catalog: Catalog) -> None:
    key = "PSVYwsaPsw78b67yOGvdIWP3RFtkS2xZT8rt"
    known().begin((key, "my-hts-id"))
    rows = [{"pdno": "My-HTS-Id", "prdt_name": f"fund of {key}"}]
    shaped = query.shape(api(catalog, "inquire_balance"), {"output1": rows}, ACCOUNT)
    assert shaped["output1"] == [{"symbol": "***", "name": "fund of ***"}]


def test_what_kis_says_of_a_call_has_no_secret_in_any_form(catalog: Catalog) -> None:
    known().begin(("my-hts-id", "an/app=key"))
    said = {"rt_cd": "1", "msg_cd": "APBK0919", "msg1": "no my-hts-id, an%2Fapp%3Dkey, MY-HTS-ID"}
    reply = read(
        api(catalog, "inquire_balance"), httpx.Response(200, json=said), (), lambda code: True
    )
    assert (reply.msg_cd, reply.msg1) == ("APBK0919", "no ***, ***, ***")


@pytest.mark.parametrize("body", [{}, {"output1": None}, {"output1": "x"}, {"output1": [1, "x"]}])
def test_an_odd_answer_is_no_error(catalog: Catalog, body: dict[str, object]) -> None:
    shaped = query.shape(api(catalog, "inquire_balance"), body, ACCOUNT)
    assert not shaped.get("output1")


def test_pages_are_joined() -> None:
    pages = [{"rows": [1], "sum": 1}, {"rows": [], "sum": 2}, {"rows": [2, 3], "sum": 3}]
    assert query.join(pages) == {"rows": [1, 2, 3], "sum": 3}
    assert query.join([]) == {}


# checks of parameters


def prepare(name: str, account: SecretStr = ACCOUNT, **params: Any) -> dict[str, str]:
    return parameters.prepare(api(CATALOG, name), CATALOG, params, account)


def test_a_market_has_its_name() -> None:
    expected = {"FID_COND_MRKT_DIV_CODE": "NX", "FID_INPUT_ISCD": "005930"}
    assert prepare("inquire_price", NONE, market="nxt", symbol="005930") == expected
    assert prepare("inquire_price", NONE, FID_INPUT_ISCD="005930", market="NX") == expected


def test_a_code_may_be_written_as_in_the_topics() -> None:
    wire = prepare("overseas_stock/price", NONE, exchange="nas", symbol="AAPL")
    assert wire["EXCD"] == "NAS"


def test_days_may_have_separators() -> None:
    days: dict[str, Any] = {"from_date": "2026-11-01", "to_date": "20261122"}
    wire = prepare("domestic_stock/inquire_daily_ccld", **days)
    assert (wire["INQR_STRT_DT"], wire["INQR_END_DT"]) == ("20261101", "20261122")


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("inquire_price", {"symbol": "005930", "market": "X"}, "params.market 'X' is none of J (k"),
        ("inquire_price", {"symbol": "a\nb"}, "params.symbol must be a text"),
        ("inquire_balance", {"CTX_AREA_NK100": "a\nb"}, "params.continuation_key must be a text"),
        ("inquire_price", {"symbol": "a" * 201}, "params.symbol must be a text"),
        ("inquire_daily_ccld", {"from_date": "1.11."}, "params.from_date must be a day: YYYYMMDD"),
        ("inquire_daily_ccld", {"from_date": "2026-02-30"}, "from_date must be a day: YYYYMMDD"),
        ("inquire_daily_ccld", {"to_date": "20261301"}, "params.to_date must be a day: YYYYMMDD"),
        ("inquire_psbl_order", {"symbol": "1", "price": "1e5"}, "params.price must be a whole num"),
    ],
)
def test_an_error_names_the_parameter(name: str, params: dict[str, Any], text: str) -> None:
    with pytest.raises(RequestError) as caught:
        prepare(f"domestic_stock/{name}", **params)
    assert text in str(caught.value)


def test_no_call_that_changes_anything_can_be_prepared() -> None:
    changing = [call for call in CATALOG.apis.values() if call.changes or call.category == "auth"]
    assert len(changing) == 22
    for call in changing:
        for account in (ACCOUNT, NONE):
            with pytest.raises(RequestError, match="cannot be called by query"):
                parameters.prepare(call, CATALOG, {}, account)


def test_a_workbook_that_forgets_to_say_so_changes_nothing_either() -> None:
    order = replace(api(CATALOG, "order_cash"), changes=False)
    with pytest.raises(RequestError, match="cannot be called by query"):
        parameters.prepare(order, CATALOG, {}, ACCOUNT)


def test_every_other_call_can_be_prepared() -> None:
    samples = {"int": "1", "decimal": "1.5", "date": "20261122", "time": "090000", "sign": "2"}
    for call in CATALOG.apis.values():
        if not call.changes:
            given = {
                param.path: CATALOG.codes[param.codes][0].code
                if param.codes
                else samples.get(param.type, "X")
                for param in call.params
                if param.name not in ("CANO", "ACNT_PRDT_CD") and param.required
            }
            wire = parameters.prepare(call, CATALOG, given, ACCOUNT)
            assert wire.keys() == {param.name for param in call.params}


@given(st.dictionaries(st.sampled_from(["symbol", "market", "x"]), st.text() | st.integers()))
def test_whatever_is_given_only_our_error_comes(params: dict[str, str | int]) -> None:
    try:
        wire = parameters.prepare(api(CATALOG, "inquire_price"), CATALOG, params, NONE)
    except RequestError:
        return
    assert all(isinstance(value, str) for value in wire.values())


def test_a_variant_is_the_first_unless_asked_for() -> None:
    daily = api(CATALOG, "domestic_stock/inquire_daily_ccld")
    assert parameters.variant(daily, "") == "within_3_months"
    assert parameters.variant(daily, "before_3_months") == "before_3_months"
    assert parameters.variant(api(CATALOG, "inquire_price"), "") == ""
    with pytest.raises(RequestError, match=r"no variant 'x' \(within_3_months, before_3_months\)"):
        parameters.variant(daily, "x")
    with pytest.raises(RequestError, match="it has none"):
        parameters.variant(api(CATALOG, "inquire_price"), "x")


# answers and pages


def test_an_answer_is_nested_signed_and_exact() -> None:
    fields = (
        Field("sign", "change_sign", "sign"),
        Field("diff", "change", "decimal", signed_by="sign"),
        Field("last", "price", "decimal", scale=2),
        Field("askp1", "asks[0].price", "int"),
        Field("askp2", "asks[1].price", "int"),
        Field("bidp2", "bids[1].price", "int"),
        Field("total", "sell.volume", "int"),
    )
    call = Api(
        *("elw", "x", "GET", "/x", "X", "엑스", (), ()),
        outputs=(Output("output1", False, fields), Output("output2", True, fields[:2])),
    )
    row = {"SIGN": "5", "diff": "1.250", "last": "12345", "askp1": "007", "askp2": "", "bidp2": "3"}
    body = {
        "output1": row | {"total": "nan", "new": "1"},
        "output2": [{"diff": "oops", "sign": "2"}, "no row", {}],
        "other": {},
    }
    shaped = query.shape(call, body, NONE)
    assert shaped == {
        "output1": {
            "change_sign": "5",
            "change": Decimal("-1.250"),
            "price": Decimal("123.45"),
            "asks": [{"price": Decimal(7)}, {"price": None}],
            "bids": [None, {"price": Decimal(3)}],
            "sell": {"volume": None},
        },
        "output2": [{"change": "oops", "change_sign": "2"}, {}],
    }
    assert str(shaped["output1"]["change"]) == "-1.250"


def test_a_block_may_come_as_the_other_kind_than_the_workbook_says() -> None:
    """KIS's documents and its servers do not always agree about lists."""
    balance = api(CATALOG, "domestic_stock/inquire_balance")
    shaped = query.shape(balance, {"output1": {"pdno": "005930"}, "output2": []}, ACCOUNT)
    assert shaped["output1"] == [{"symbol": "005930"}]


def page(body: dict[str, Any], tr_cont: str = "", rt_cd: str = "0") -> Reply:
    return Reply(rt_cd, "", "", body, tr_cont)


def test_account_inquiries_go_on_by_header_and_keys() -> None:
    call = api(CATALOG, "domestic_stock/inquire_balance")
    first = prepare("domestic_stock/inquire_balance")
    body = {"ctx_area_fk100": "A^1   ", "ctx_area_nk100": "k2 "}
    following = next_page(call, first, page(body, "M"))
    assert following == (first | {"CTX_AREA_FK100": "A^1", "CTX_AREA_NK100": "k2"}, "N")
    assert next_page(call, first, page(body, "D")) is None
    assert next_page(call, first, page(body, "M", rt_cd="7")) is None
    assert next_page(api(CATALOG, "inquire_price"), {}, page(body, "M")) is None


def test_overseas_futures_go_on_by_a_key_in_the_answer() -> None:
    call = api(CATALOG, "overseas_futureoption/tick_ccnl")
    first = {param.name: param.default for param in call.params}
    following = next_page(call, first, page({"output1": {"index_key": "2026 "}}))
    assert following == (first | {"INDEX_KEY": "2026", "QRY_TP": "P"}, "")
    assert next_page(call, following[0], page({"output1": {"index_key": "2026"}})) is None
    assert next_page(call, first, page({"output1": {"index_key": ""}})) is None


def test_overseas_rankings_go_on_by_header_where_no_key_comes() -> None:
    call = api(CATALOG, "overseas_stock/market_cap")
    assert next_page(call, {"EXCD": "NAS"}, page({}, "M")) == ({"EXCD": "NAS"}, "N")
    assert next_page(call, {"EXCD": "NAS"}, page({})) is None
    assert next_page(call, {"KEYB": ""}, page({"keyb": "9"}, "M")) == ({"KEYB": "9"}, "N")


# the request


class Rest(RestClient):
    """A REST client that has answers ready and keeps what it was asked; the pager is real."""

    def __init__(self, *replies: Reply) -> None:
        self._catalog = CATALOG
        self.replies = list(replies)
        self.calls: list[tuple[str, dict[str, str], dict[str, object]]] = []

    async def call(self, api: str, params: Any, **how: Any) -> Reply:
        self.calls.append((api, params, how))
        return self.replies.pop(0)


async def ask(rest: Rest, client: str = "", **content: Any) -> Any:
    verbs: Any = Verbs.__new__(Verbs)
    verbs._catalog = CATALOG
    verbs._rests = {"app1": rest}
    verbs._accounts = {"main": (ACCOUNT, "app1")}
    verbs._topics = Topics("kis")
    verbs._permissions = Permissions(RIGHTS, OrdersConfig(), everything=True)
    topic = verbs._topics.request("query", client)
    message = Message(topic, b"", 1, False, "", b"", None, 0, lambda: None)
    return await verbs.query(content, message)


def balance(symbol: str, key: str, tr_cont: str) -> Reply:
    return page({"output1": [{"pdno": symbol}], "output2": [], "ctx_area_nk100": key}, tr_cont)


async def test_a_query_follows_the_pages_that_are_wanted() -> None:
    rest = Rest(balance("1", "a", "F"), balance("2", "b", "M"), balance("3", "", "D"))
    found = await ask(rest, api="domestic_stock/inquire_balance", account="main", pages=5)
    assert [row["symbol"] for row in found["output1"]] == ["1", "2", "3"]
    assert (found["pages"], found["more"]) == (3, False)
    assert [call[1]["CTX_AREA_NK100"] for call in rest.calls] == ["", "a", "b"]
    assert [call[2]["tr_cont"] for call in rest.calls] == ["", "N", "N"]
    # Behind the orders: nothing but the priority of queries is ever asked for.
    assert all(call[2]["priority"] is Priority.QUERY for call in rest.calls)
    assert sorted(Priority)[-2:] == [Priority.QUERY, Priority.POLL]

    rest = Rest(balance("1", "a", "F"), balance("2", "b", "M"))
    found = await ask(rest, api="inquire_balance", account="main", pages=2)
    assert (found["pages"], found["more"], len(rest.calls)) == (2, True, 2)


async def test_a_query_takes_the_first_variant() -> None:
    rest = Rest(page({}))
    days = {"from_date": "20261101", "to_date": "20261122"}
    found = await ask(rest, api="inquire_daily_ccld", account="main", params=days)
    assert rest.calls[0][2]["variant"] == "within_3_months"
    assert found == {"pages": 1, "more": False}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"api": "order_cash", "account": "main"}, "not_read_only"),
        ({"api": "auth_token"}, "not_read_only"),
        ({"api": "inquire_prize"}, "unknown_api"),
        ({"api": "domestic_stock/order_cash", "account": "main"}, "not_read_only"),
        ({"api": "order_cash", "account": "main", "variant": "buy"}, "not_read_only"),
        ({"api": "order_resv_ccnl", "account": "main", "variant": "x"}, "invalid_request"),
        ({"api": "overseas_stock/order_resv_ccnl", "account": "main"}, "not_read_only"),
        ({"api": "overseas_stock/order", "account": "main"}, "not_read_only"),
        ({"api": "daytime_order", "account": "main"}, "not_read_only"),
        ({"api": "auth/revoke_token"}, "not_read_only"),
        ({"api": "hashkey"}, "not_read_only"),
        ({"api": "ORDER_CASH", "account": "main"}, "unknown_api"),
        ({"api": "Domestic_Stock/order_cash", "account": "main"}, "unknown_api"),
        ({"api": "domestic_stock/order_cash "}, "unknown_api"),
        ({"api": "domestic_stock/../order_cash"}, "unknown_api"),
        ({"api": "/order_cash"}, "unknown_api"),
        ({"api": "TTTC0012U", "account": "main"}, "unknown_api"),
        ({"api": "/uapi/domestic-stock/v1/trading/order-cash"}, "unknown_api"),
        ({"api": "inquire_price", "client": "alice", "account": "main"}, "not_permitted"),
        ({"api": "volume_rank", "client": "alice"}, "not_permitted"),
        ({"api": "overseas_stock/price", "client": "alice"}, "not_permitted"),
        ({"api": "inquire_balance", "account": "other"}, "unknown_account"),
        ({"api": "inquire_balance"}, "invalid_request"),
        ({"api": "inquire_price", "params": {"symbol": "1"}, "variant": "x"}, "invalid_request"),
    ],
)
async def test_a_query_that_cannot_be_made_is_refused_before_kis_sees_it(
    content: dict[str, Any], code: str
) -> None:
    rest = Rest()
    with pytest.raises(RequestError) as caught:
        await ask(rest, **content)
    assert (caught.value.code, rest.calls) == (code, [])


async def test_a_call_that_is_almost_right_is_suggested() -> None:
    with pytest.raises(RequestError, match=r"did you mean inquire_price\?"):
        await ask(Rest(), api="inquire_prise")


async def test_an_order_cannot_hide_in_the_parameters() -> None:
    """TR id, path and account are the workbook's and the configuration's, never the request's."""
    for name in ("CANO", "ACNT_PRDT_CD", "tr_id", "path", "account"):
        with pytest.raises(RequestError, match=f"no params.{name}"):
            await ask(Rest(), api="inquire_balance", account="main", params={name: "12345678"})


async def test_a_short_name_is_held_against_the_whole_one() -> None:
    rest = Rest(page({}))
    await ask(rest, client="alice", api="inquire_price", params={"symbol": "005930"})
    assert [call[0] for call in rest.calls] == ["domestic_stock/inquire_price"]


async def test_a_refusal_of_kis_is_an_error() -> None:
    with pytest.raises(RequestError) as caught:
        await ask(Rest(page({}, rt_cd="7")), api="inquire_price", params={"symbol": "1"})
    assert caught.value.code == "kis_refused"


def test_what_is_no_number_and_no_letter_in_an_answer_of_kis_can_be_told(catalog: Catalog) -> None:
    content = rb"""{"rt_cd":"0","msg_cd":"MCA00000","msg1":"\ud800","output":
        {"stck_prpr":NaN,"prdy_vrss":"nan","acml_vol":-Infinity,"bstp_kor_isnm":"a\udfffb"}}"""
    called = api(catalog, "inquire_price")
    reply = read(called, httpx.Response(200, content=content), (), lambda _: False)
    shaped = query.shape(called, reply.body, NONE)
    told = json.loads(payloads.ok(shaped), parse_constant=pytest.fail)
    assert told["data"]["output"] == {
        "price": None,
        "change": None,
        "cumulative_volume": None,
        "sector_name": "a?b",
    }
