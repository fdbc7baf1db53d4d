"""The doors: each takes bytes from outside, and what may come out of it.

A door returns, or raises one of its own errors; whatever else comes out of it is a bug. What it
returns is looked at as well, where there is something that must hold for any input.
"""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
from pydantic import SecretStr, ValidationError

from bridge.catalog.compile import load as load_catalog
from bridge.catalog.excel import open_sheets
from bridge.catalog.model import Api, Channel, Column, Field, Master
from bridge.catalog.workbook import examine_sheets
from bridge.cli.decode import FrameReader
from bridge.config.environment import override
from bridge.config.load import load
from bridge.config.orders import OrdersConfig
from bridge.config.requests import RequestsConfig
from bridge.dashboard.access import Access
from bridge.dashboard.gatekeeper import Gatekeeper
from bridge.documents.responses import ERRORS
from bridge.errors import BridgeError, ConfigError, DecodeError, FrameError, WorkbookError
from bridge.kis import listing, query
from bridge.kis.answers import json_object, read, said_rate
from bridge.kis.auth import ApprovalKeys, Tokens
from bridge.kis.clock import read_date
from bridge.kis.crypto import decrypt, encrypt
from bridge.kis.decode import ChannelDecoder, Route, notice_values
from bridge.kis.executions import notice
from bridge.kis.frames import DataFrame, parse
from bridge.kis.markets import order_types
from bridge.kis.masters import MastersError
from bridge.kis.masters import parse as parse_master
from bridge.kis.masters import unpack as unpack_master
from bridge.kis.orders import OrderCall, outcome
from bridge.kis.pages import next_page
from bridge.kis.replies import KisError
from bridge.kis.session import Session
from bridge.kis.values import Zone
from bridge.mqtt import payloads
from bridge.mqtt.message import Handler, Message, Publication
from bridge.mqtt.topics import Topics, is_topic
from bridge.orders.journal.identity import Mark
from bridge.orders.model.command import MODELS, CommandError
from bridge.orders.model.command_parser import parse as parse_command
from bridge.orders.ownership.wording import loads as loads_claim
from bridge.requests.permissions import Permissions
from bridge.requests.server import RequestServer
from bridge.requests.table import REQUESTS
from bridge.requests.verbs import Verbs
from bridge.runtime.bounded_json import JsonError, decode, decode_lenient, decode_object
from bridge.simulator.faults.plan import read as read_faults
from bridge.subscriptions.interest import Interests
from bridge.subscriptions.request import Wanted
from tests.unit.catalog import books

__all__ = ["DOORS", "Door"]

ROOT = Path(__file__).parents[3]
NOW = 1_795_400_000_000_000
ACCOUNT = SecretStr("12345678-01")
KEY, IV = "abcdefghijklmnopabcdefghijklmnop", "0123456789abcdef"


@dataclass(frozen=True)
class Door:
    """Something that reads what comes from outside."""

    name: str
    inputs: int
    """How many are tried in `make test`."""
    parents: Callable[[], Sequence[bytes]]
    """Sound inputs."""
    feed: Callable[[bytes], object]
    errors: tuple[type[Exception], ...] = (BridgeError,)
    """What may be raised."""
    batch: int = 250
    refused: tuple[str, ...] = ()
    """What is said of the parents that are sound and refused all the same."""


catalog = cache(load_catalog)


def text_of(data: bytes) -> str:
    """Return the letters as the stream hands them on."""
    return data.decode(errors="replace")


# --- JSON itself


def json_parents() -> Sequence[bytes]:
    return [
        b'{"a":[1,-2.50,1e5,true,false,null],"b":{"c":"\\ud83d\\ude00\xea\xb0\x80"}}',
        b"[[],{}]",
        b'"x"',
        b"-0.0",
    ]


def json_reader(data: bytes) -> None:
    """What is read is what anybody else reads, and can be written again."""
    with suppress(JsonError):
        decode_lenient(data, 100_000)
    value = decode(data, 100_000)
    written = payloads.ok(value)
    again = decode(written, 300_000)["data"]
    assert again == value


# --- commands


@cache
def known_types() -> Any:
    return order_types(catalog(), paper=True)


def command_parents() -> Sequence[bytes]:
    order = {
        "client_order_id": "a1-0001",
        "market": "domestic_stock",
        "venue": "krx",
        "symbol": "005930",
        "side": "buy",
        "order_type": "limit",
        "quantity": 10,
        "price": 71900,
        "expires_at": "2026-11-22T09:00:05+09:00",
    }
    name = {"client_order_id": "a1-0001", "expires_at": "2026-11-22T09:00:05+09:00"}
    overseas = {"market": "overseas_stock", "venue": "nas", "symbol": "AAPL", "price": "1.5"}
    return [
        f"{verb}{json.dumps(content)}".encode()
        for verb, content in (
            (0, order),
            (0, order | overseas),
            (0, order | {"order_type": "stop_limit", "condition_price": 71000}),
            (1, name | {"command_id": "m1", "price": 71800, "quantity": 5}),
            (2, name | {"command_id": "c1", "quantity": 5, "order_no": "0000063291"}),
            (3, name | {"symbol": "005930"}),
        )
    ]


def command(data: bytes) -> None:
    """What is taken is taken again from the journal, as the same command."""
    verb = [*MODELS, "swap"][(data[0] - ord("0")) % 5 if data else 0]
    taken = parse_command(verb, data[1:], known_types())
    again = parse_command(verb, taken.canonical().encode())
    assert again.dated_digest() == taken.dated_digest()
    assert again.name() == taken.name()
    taken.deadline(NOW, None)


# --- requests


class _Broker:
    """Takes the answers of a server."""

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.said: list[Publication] = []

    def subscribe(self, topic_filter: str, qos: int, handler: Handler, **_: Any) -> None:
        self.handler = handler

    async def publish(self, publication: Publication) -> None:
        self.said.append(publication)


class _Anything:
    """Stands for the rooms behind the requests: whatever is done there succeeds."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: 0


class _Rest:
    """A KIS that refuses everything."""

    async def pages(self, *_: Any, **__: Any) -> Any:
        raise KisError("no KIS here")
        yield


@cache
def server() -> tuple[_Broker, asyncio.AbstractEventLoop]:
    broker, topics, room = _Broker(), Topics(), _Anything()
    requests = RequestServer(broker, topics, ["clients"])
    permissions = Permissions(
        RequestsConfig.model_validate(
            {"clients": {"alice": {"query": ["*/*"], "accounts": ["main"]}}}
        ),
        OrdersConfig(),
        everything=True,
    )
    wide: Any = room
    rest: Any = _Rest()
    verbs = Verbs(
        catalog=catalog(),
        pool=wide,
        pump=wide,
        gateway=wide,
        events=wide,
        rests={"app1": rest},
        accounts={"main": (ACCOUNT, "app1")},
        environment="paper",
        paper=True,
        topics=topics,
        permissions=permissions,
        symbols=wide,
    )
    for kind in REQUESTS:
        handler: Any = getattr(verbs, kind.verb)
        if kind.verb not in ("subscribe", "unsubscribe", "channels", "query"):

            async def handler(content: Any, _: Any, model: Any = kind.model) -> Any:
                return model.model_validate(content).model_dump(mode="json")

        requests.register(kind.verb, handler, kind.keys())
    return broker, asyncio.new_event_loop()


def request_parents() -> Sequence[bytes]:
    one = {"market": "domestic_stock", "venue": "krx", "kind": "trade", "symbol": "005930"}
    price = {"api": "inquire_price", "params": {"symbol": "005930"}, "transaction": "t-1"}
    balance = {"api": "domestic_stock/inquire_balance", "account": "main", "params": {}, "pages": 2}
    requests: Mapping[str, Mapping[str, Any]] = {
        "subscribe/alice kis/bridge/response/x": {
            "subscriptions": [one, {"channel": "H0STCNT0", "key": "000660"}],
            "priority": 3,
            "lease_s": 60,
            "transaction": 7,
        },
        "unsubscribe/alice clients/alice/answer": {"subscriptions": [one]},
        "channels": {"transaction": "x"},
        "snapshot": {"topics": ["kis/market/domestic_stock/krx/trade/005930"]},
        "query/alice": price,
        "query": balance,
        "symbols": {"search": "삼성", "limit": 5, "details": True},
        "halt/alice": {"reason": "x", "account": "main", "mode": "reduce_only", "cancel_all": True},
        "resume/alice": {"account": "main"},
        "resolve": {
            "account": "main",
            "client": "alice",
            "client_order_id": "a-1",
            "outcome": "placed",
            "order_no": "12",
        },
    }
    return [f"{head}\n{json.dumps(content)}".encode() for head, content in requests.items()]


def request(data: bytes) -> None:
    """One request has one answer, which can be read, and a bug is none of its codes."""
    broker, loop = server()
    head, _, payload = data.partition(b"\n")
    forbidden = dict.fromkeys(map(ord, "\0+#"))
    topic, _, answer_to = text_of(head).translate(forbidden).partition(" ")
    message = Message(
        *(f"kis/bridge/request/{topic}", payload, 1, False, answer_to, b"", None, NOW),
        lambda: None,
    )
    assert broker.handler is not None
    loop.run_until_complete(broker.handler(message))
    if not broker.said:
        return
    (said,) = broker.said
    broker.said.clear()
    answer = decode_object(said.payload, 1 << 20)
    assert answer["status"] in ("ok", "error")
    if answer["status"] == "error":
        assert answer["code"] in ERRORS
        assert answer["code"] != "internal"
    assert len(said.topic.encode()) > 65_535 or is_topic(said.topic)


# --- KIS's stream


@cache
def captured() -> Sequence[bytes]:
    lines = (ROOT / "tests/data/frames.jsonl").read_text("utf-8").splitlines()
    return [str(json.loads(line)["raw"]).encode() for line in lines]


@cache
def decoder(channel: Channel) -> ChannelDecoder:
    def route(channel: Channel, venue: str, symbol: str, zone: Zone) -> Route:
        topic = Topics().market(channel.market, venue, channel.kind, symbol)
        return Route(channel, venue, symbol, topic, zone)

    return ChannelDecoder(channel, route)


def frame(data: bytes) -> None:
    """Each record becomes JSON that can be read within our own bounds, or is told as a problem."""
    found = parse(text_of(data))
    if not isinstance(found, DataFrame):
        return
    channel = catalog().channel(found.tr_id)
    if channel is None or channel.encrypted or found.encrypted:
        return
    records: list[bytes] = []
    told = decoder(channel).decode(found.body, found.count, NOW, lambda _, r: records.append(r))
    assert records or told
    for record in records:
        decode_object(record, 1 << 20)


def control_parents() -> Sequence[bytes]:
    lines = (ROOT / "tests/data/control.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line)["raw"] for line in lines]
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    keys = {"iv": IV, "key": KEY}
    grant = {
        "header": {"tr_id": "H0STCNI9", "tr_key": "me", "encrypt": "N"},
        "body": {"rt_cd": "0", "msg_cd": "OPSP0000", "msg1": "ok", "output": keys},
    }
    closed = encrypt("x^y", KEY, IV)
    return [text.encode() for text in [*texts, json.dumps(grant), f"1|H0STCNI9|001|{closed}"]]


def control(data: bytes) -> None:
    """A session takes any text, and stays able to say what it wants next."""
    session = Session("sesame", notices=frozenset({"H0STCNI9"}))
    session.subscribe("H0STCNT0", "005930", 0.0)
    session.subscribe("H0STCNI9", "me", 0.0)
    session.subscribe("HDFSCNT0", "DNASAAPL", 0.0)
    session.connected(0.0)
    now = 0.0
    for line in data.split(b"\n"):
        for _ in range(2):
            now += 0.2
            session.tick(now)
            session.data_to_send()
        session.receive(text_of(line), now)
        session.next_deadline()
    assert all(len(text) < 100_000 for text in session.data_to_send())
    session.disconnected()


_SAMPLES = {
    "int": "12",
    "decimal": "71900.5",
    "sign": "2",
    "date": "20261123",
    "time": "090005",
}


def _sample(kind: str) -> str:
    return _SAMPLES.get(kind, "005930")


@cache
def notice_channels() -> Sequence[Channel]:
    return [channel for channel in catalog().channels.values() if channel.encrypted]


def notice_parents() -> Sequence[bytes]:
    return [
        b"%d|1|" % place
        + "^".join(
            "6" if one.path == "overseas_class" else _sample(one.type)
            for one in channel.layouts[0].fields
        ).encode()
        for place, channel in enumerate(notice_channels())
    ]


def execution_notice(data: bytes) -> None:
    """A notice is read or refused; its numbers are none that cost anything later."""
    which, _, rest = data.partition(b"|")
    count, _, body = rest.partition(b"|")
    channel = notice_channels()[crc32(which) % len(notice_channels())]
    if which.isdigit() and len(which) < 3:
        channel = notice_channels()[int(which) % len(notice_channels())]
    with suppress(FrameError):
        decrypt(text_of(body), KEY, IV)
    times = int(count) if count.isdigit() and len(count) < 4 and int(count) else 1
    for values in notice_values(channel, times, text_of(body)):
        found = notice(values, channel.market)
        assert len(format(found.price, "f")) < 100
        assert 0 <= found.quantity < 10**18


# --- KIS's REST


_CALLS = (
    "domestic_stock/order_cash",
    "domestic_stock/inquire_daily_ccld",
    "domestic_stock/inquire_balance",
    "domestic_stock/inquire_price",
    "overseas_stock/inquire_ccnl",
    "domestic_futureoption/inquire_ccnl",
)
_MARKETS = {4: "overseas_stock", 5: "domestic_derivative"}


def _block(fields: Sequence[Field]) -> dict[str, str]:
    return {one.name: _sample(one.type) for one in fields}


def answer_parents() -> Sequence[bytes]:
    parents = []
    for place, name in enumerate(_CALLS):
        body: dict[str, Any] = {"rt_cd": "0", "msg_cd": "APBK0013", "msg1": "주문 완료"}
        body |= {"ctx_area_fk100": "x", "ctx_area_nk100": "y  "}
        for output in catalog().apis[name].outputs:
            block = _block(output.fields[:40])
            body[output.name] = [block, block] if output.array else block
        parents.append(f"{place}{json.dumps(body, ensure_ascii=False)}".encode())
    refusal = {"rt_cd": "1", "msg_cd": "EGW00201", "msg1": "초당 거래건수를 초과하였습니다."}
    return [*parents, *(b"%d" % place + json.dumps(refusal).encode() for place in (0, 6))]


def _called(data: bytes) -> tuple[Api, int]:
    place = (data or b"0")[0] - ord("0")
    return catalog().apis[_CALLS[place % len(_CALLS)]], place % len(_CALLS)


def answer(data: bytes) -> None:
    """What KIS answers can be told to whoever asked, and its lists are read or refused whole."""
    api, place = _called(data)
    status = 500 if data[:1] >= b"6" else 200
    response = httpx.Response(status, content=data[1:], headers={"tr_cont": "M"})
    reply = read(api, response, ("sesame", "12345678"), lambda code: code.startswith("APBK"))
    shaped = query.shape(api, reply.body, ACCOUNT)
    decode_object(payloads.ok(query.join([shaped, shaped])), 64 << 20, names=100_000)
    following = next_page(api, {"PDNO": "005930"}, reply, by_key=True)
    assert following is None or all(isinstance(value, str) for value in following[0].values())
    if place == 0:
        outcome(catalog(), OrderCall(api.name, "buy", {}), reply)
        return
    market = _MARKETS.get(place, "domestic_stock")
    with suppress(DecodeError):
        today = date(2026, 11, 23)
        call = listing.ask(
            catalog(), market=market, account="12345678-01", first=today, last=today, paper=False
        )
        for row in listing.rows(catalog(), call, reply.body, NOW):
            assert abs(row.quantity) < 10**18
            assert row.key


def credential_parents() -> Sequence[bytes]:
    token = {
        "access_token": "eyJ0eXAi.x.y",
        "token_type": "Bearer",
        "expires_in": 86400,
        "access_token_token_expired": "2026-11-24 09:00:05",
    }
    return [json.dumps(token).encode(), b'{"approval_key":"a-b-c"}']


def credential(data: bytes) -> None:
    """A credential fits into a header and ends some time."""
    body = json_object(httpx.Response(200, content=data))
    if body is None:
        return
    for kind in (Tokens, ApprovalKeys):
        made = kind.__new__(kind)
        with suppress(ValidationError):
            secret, until = made._read(body, NOW / 1e6)
            assert secret.isascii()
            assert secret.isprintable()
            assert NOW / 1e6 <= until < NOW / 1e6 + 1e8


# --- masters


_MASTERS = (
    Master(
        *("kospi", "domestic_stock", "krx", "kospi.mst.zip", "kospi.mst", "fixed", 27),
        *("K", "코스피"),
        columns=(
            Column("CODE", "symbol", "code", 9),
            Column("NAME", "name", "string", 10),
            Column("BASE", "base_price", "decimal", 5),
            Column("LOT", "lot_size", "int", 3),
        ),
    ),
    Master(
        *("nas", "overseas_stock", "nas", "nasmst.cod", "", "tab", 0, "N", "나스닥"),
        columns=(
            Column("SYMB", "symbol", "code"),
            Column("PRIC", "price", "decimal"),
            Column("ENAM", "english_name", "string"),
        ),
    ),
)


def _zipped(content: bytes, name: str = "KOSPI.MST") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def master_parents() -> Sequence[bytes]:
    lines = ("005930   삼성전자  00274001\n00088K   한화3우   \r\n" * 3).encode("cp949")
    return [b"0" + _zipped(lines), b"1AAPL\t1.5\tAPPLE\nT\t\tT\t\n", b"2" + lines]


def master(data: bytes) -> None:
    """A master is read to its end or refused."""
    fixed, tabbed = _MASTERS
    match data[:1]:
        case b"0":
            lines = parse_master(fixed, unpack_master(fixed, data[1:]))
        case b"1":
            lines = parse_master(tabbed, unpack_master(tabbed, data[1:]))
        case _:
            lines = parse_master(fixed, data[1:])
    for line in lines:
        json.dumps(line).encode()


# --- what others keep for us


def kept_parents() -> Sequence[bytes]:
    claim = {"owner": "ab12", "host": "h", "since": NOW, "at": NOW, "fence": 3}
    row = {"channel": "H0STCNT0", "key": "005930", "holder": "alice", "priority": 1}
    rows = {"subscriptions": [row | {"until": None}, row | {"until": 1e12, "key": "000660"}]}
    return [
        b'{"journal":"ab12","generation":7}',
        json.dumps(claim).encode(),
        json.dumps(rows).encode(),
    ]


def kept(data: bytes) -> None:
    """Marks, claims and wishes that a broker or a file has kept."""
    with suppress(JsonError, ValueError):
        Mark.told(decode_object(data, 4_096))
    loads_claim(data)
    with suppress(ValueError):
        Interests().loads(text_of(data), 0.0, lambda channel, key: Wanted(channel, key, channel))


def capture_parents() -> Sequence[bytes]:
    raws = [text_of(raw) for raw in captured()[:12]]
    return [*captured(), *(json.dumps({"raw": raw}, ensure_ascii=False).encode() for raw in raws)]


@cache
def frame_reader() -> FrameReader:
    return FrameReader(catalog(), Topics(), plain_notices=True)


def capture(data: bytes) -> None:
    """Each line of a capture becomes lines of JSON, or an error."""
    for said in frame_reader().read(data, NOW):
        if not said.error:
            decode_object(said.text, 1 << 20)


# --- headers


def header_parents() -> Sequence[bytes]:
    return [
        b"Mon, 23 Nov 2026 00:00:05 GMT\n10.5\n",
        b"127.0.0.1:8780\nBasic OnB3\nhttp://127.0.0.1:8780",
        b"[::1]:8780\nBearer x\nnull",
        b"localhost\n\nhttp://localhost",
    ]


def _ignored(*_: Any) -> Any:
    raise AssertionError("nothing is served here")


def headers(data: bytes) -> None:
    """Headers of KIS's answers and of the page's visitors."""
    first, second, third, *_ = [*data.replace(b"\r", b"").split(b"\n"), b"", b"", b""]
    told = httpx.Headers([(b"date", first), (b"x-rate-limit-per-second", second)])
    date_told = read_date(told)
    assert date_told is None or 0 < date_told < 2**62
    rate = said_rate(httpx.Response(200, headers=told))
    assert rate is None or 0 < rate < 10**7
    keeper = Gatekeeper(_ignored, "127.0.0.1", Access(password=SecretStr("pw")))
    scope = {
        "type": "http",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", first), (b"authorization", second), (b"origin", third)],
    }
    _, refusal = keeper._judge(scope)
    assert refusal is None or refusal.status_code in (401, 403, 421, 429)


# --- configuration


@dataclass
class _Folder:
    """A folder of this process's own, in memory where the system has a place for that."""

    path: Path = field(default_factory=Path)


FOLDER = _Folder()
_SECRETS = {"KIS_APP_KEY": "key", "KIS_APP_SECRET": "secret", "KIS_ACCOUNT": "12345678-01"}


def _written(data: bytes, name: str) -> Path:
    path = FOLDER.path / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def configuration_parents() -> Sequence[bytes]:
    small = """
[kis]
environment = "paper"
[[kis.apps]]
alias = "app1"
app_key = { env = "KIS_APP_KEY" }
app_secret = { env = "KIS_APP_SECRET" }
slots = 41
[[kis.accounts]]
alias = "main"
app = "app1"
number = { env = "KIS_ACCOUNT" }
[mqtt]
url = ["mqtt://127.0.0.1:1883", "ws://localhost:9001"]
[[market.subscriptions]]
market = "domestic_stock"
venue = "krx"
kinds = ["trade", "quote"]
symbols = ["005930", "000660"]
[market.kinds.quote]
qos = 0
expire_s = 86400
[orders]
allow_real = false
[orders.limits]
quantity = 1000
notional = 10_000_000
price_band = 0.05
[orders.clients.alice]
accounts = ["main"]
[dashboard]
listen = "127.0.0.1:8780"
[log]
level = "info"
"""
    return [small.encode()]


def configuration(data: bytes) -> None:
    """A configuration is taken, or refused in one line."""
    try:
        load(_written(data, "bridge.toml"), _SECRETS)
    except ConfigError as error:
        assert "\n" not in str(error), "one line"
        raise


def variable_parents() -> Sequence[bytes]:
    return [
        b'MQTT__URL=["mqtt://127.0.0.1:1883"]',
        b"ORDERS__LIMITS__NOTIONAL=10_000_000",
        b'ORDERS__LIMITS={"quantity":1000,"price_band":0.05}',
        b"KIS__ENVIRONMENT=paper",
        b"MARKET__KINDS__QUOTE__QOS=1",
        b"DASHBOARD__LISTEN=127.0.0.1:8780",
    ]


def variable(data: bytes) -> None:
    """A variable is taken, or refused in one line."""
    name, _, value = text_of(data).replace("\0", "").partition("=")
    path = _written(configuration_parents()[0], "sound.toml")
    override(f"KIS_BRIDGE_{name}", value)
    load(path, {f"KIS_BRIDGE_{name}": value, **_SECRETS})


def fault_parents() -> Sequence[bytes]:
    drop, late = 'kind = "drop"\nat_s = [5]', 'kind = "hang"\nchance = 0.1'
    return [f"seed = 7\n[[fault]]\n{drop}\n[[fault]]\n{late}\n".encode()]


def fault_plan(data: bytes) -> None:
    read_faults(_written(data, "faults.toml"))


# --- the workbook


@cache
def sound_book() -> dict[str, bytes]:
    path = books.write(books.book(), FOLDER.path / "parent.xlsx")
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def archive_parents() -> Sequence[bytes]:
    packed = _packed(sound_book())
    return [packed, *(name.encode() + b"\n" + part for name, part in sound_book().items())]


def _packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def archive(data: bytes) -> None:
    """An Excel file is read as far as it is sound, and its faults are lines."""
    if not data.startswith(b"PK"):  # one file of the archive, spoiled behind its checksum
        name, _, content = data.partition(b"\n")
        data = _packed(sound_book() | {text_of(name)[:100].replace("\0", "") or "x": content})
    examine_sheets(open_sheets(_written(data, "kis.xlsx")))


def cell_parents() -> Sequence[bytes]:
    sheets = books.book()
    places = [
        (title, row, column)
        for title, rows in sheets.items()
        for row, cells in enumerate(rows)
        for column, value in enumerate(cells)
        if value is not None and (title != "about" or row < 3)
    ]
    return [
        f"{title}!{row}!{column}!{sheets[title][row][column]}".encode()
        for title, row, column in places
    ]


def cells(data: bytes) -> None:
    """A workbook with a spoiled cell is judged: every fault is one line that names a place."""
    sheets = books.book()
    for change in data.split(b"\n")[:4]:
        title, _, rest = text_of(change).partition("!")
        row, _, rest = rest.partition("!")
        column, _, text = rest.partition("!")
        value: Any = float(len(text)) if text.endswith("~") else text or None
        with suppress(KeyError, ValueError, IndexError):
            sheets[title][int(row)][int(column)] = int(text) if text.isdecimal() else value
    _, problems = examine_sheets(sheets)
    assert all("\n" not in problem.partition(":")[0] for problem in problems)


_ODD_NOTICE = ("the execution notice has no",)
"""Of channels that tell of other things than executions."""

DOORS = (
    Door("json", 26_000, json_parents, json_reader, (JsonError,), batch=1_000),
    Door("command", 24_000, command_parents, command, (CommandError,), batch=1_000),
    Door("request", 8_000, request_parents, request, ()),
    Door("frame", 4_000, captured, frame, (FrameError,)),
    Door("control", 12_000, control_parents, control, ()),
    Door("notice", 14_000, notice_parents, execution_notice, (DecodeError,), refused=_ODD_NOTICE),
    Door("answer", 4_000, answer_parents, answer, (KisError,), refused=("EGW00201",)),
    Door("credential", 4_000, credential_parents, credential, ()),
    Door("master", 6_000, master_parents, master, (MastersError,)),
    Door("capture", 2_000, capture_parents, capture, ()),
    Door("headers", 4_000, header_parents, headers, ()),
    Door("kept", 6_000, kept_parents, kept, ()),
    Door("configuration", 2_000, configuration_parents, configuration, (ConfigError,), batch=50),
    Door("variable", 400, variable_parents, variable, (ConfigError,), batch=50),
    Door("faults", 2_000, fault_parents, fault_plan, (ConfigError,), batch=50),
    Door("workbook", 120, archive_parents, archive, (WorkbookError,), batch=20),
    Door("cells", 300, cell_parents, cells, (WorkbookError,), batch=20),
)
