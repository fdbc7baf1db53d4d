"""What bridge.toml and the environment may say, and the one line for everything else."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from bridge.config.explained_errors import InvalidConfigError
from bridge.config.kis import AppConfig, KisConfig
from bridge.config.load import load
from bridge.config.models import Config, MqttConfig, SubscriptionConfig
from bridge.config.orders import LimitsConfig, OrdersConfig
from bridge.config.reference import reference
from bridge.config.secret_sources import FORMS
from bridge.config.values import open_to_others
from bridge.errors import ConfigError

ROOT = Path(__file__).parents[3]
LEVELS = "must be levels separated by '/', none empty, without blanks, '+', '#' or a leading '$'"
KEYS = {"KIS_APP_KEY": "app-key", "KIS_APP_SECRET": "app-secret"}
KIS = """
[kis]
environment = "paper"
[[kis.apps]]
alias = "app1"
app_key = { env = "KIS_APP_KEY" }
app_secret = { env = "KIS_APP_SECRET" }
"""
ACCOUNT = """
[[kis.accounts]]
alias = "main"
app = "app1"
number = { env = "KIS_ACCOUNT" }
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, mode: int = 0o644, **environ: str) -> Config:
    path = Path("bridge.toml")
    path.write_text(text)
    path.chmod(mode)
    return load(path, KEYS | {"KIS_ACCOUNT": "12345678-01"} | environ)


def refusal(text: str, mode: int = 0o644, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, mode, **environ)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# the whole


@pytest.mark.parametrize("name", ["bridge.toml", "bridge.simulator.toml"])
def test_examples_are_valid(name: str) -> None:
    environ = KEYS | {"KIS_HTS_ID": "someone", "KIS_ACCOUNT": "1234567801"}
    config = load(ROOT / "examples" / name, environ | {"KIS_MQTT_PASSWORD": "pw"})
    assert config.kis.accounts[0].number.get_secret_value() == "12345678-01"
    assert config.kis.apps[0].slots == 41


def test_example_reads_as_the_contract_says() -> None:
    environ = KEYS | {"KIS_HTS_ID": "someone", "KIS_ACCOUNT": "12345678-01"}
    config = load(ROOT / "examples/bridge.toml", environ | {"KIS_MQTT_PASSWORD": "pw"})
    assert config.kis.rest_url == "https://openapivts.koreainvestment.com:29443"
    assert config.kis.ws_url == "ws://ops.koreainvestment.com:31000"
    assert config.mqtt.url == ("mqtt://127.0.0.1:1883",)
    assert config.orders.limits.notional == Decimal(10_000_000)
    assert config.orders.limits.price_band == Decimal("0.05")
    assert config.orders.clients["alice"].accounts == ("main",)
    assert config.market.subscriptions[0].symbols == ("005930", "000660")
    assert config.dashboard.port == 8780
    assert not config.homeassistant.enabled


def test_reference_is_current() -> None:
    assert (ROOT / "docs/configuration.md").read_text() == reference(), (
        "run: python -m bridge.config > docs/configuration.md"
    )


def test_models_are_frozen() -> None:
    with pytest.raises(ValidationError):
        read(KIS).kis.environment = "real"  # type: ignore[misc]


# places and lines


@pytest.mark.parametrize(
    ("addition", "line"),
    [
        ('[mqtt]\nusrname = "x"', "mqtt.usrname: unknown key (did you mean 'username'?)"),
        ("[mqqt]", "mqqt: unknown key (did you mean 'mqtt'?)"),
        ("[log]\nzzz = 1", "log.zzz: unknown key (one of level, format)"),
        (
            "[[kis.apps]]\nalis = 1",
            "kis.apps[1].alis: unknown key (did you mean 'alias'?) (and 3 more)",
        ),
        (
            'mqtt = "x"',
            "kis.apps[0].mqtt: unknown key (one of alias, app_key, app_secret, hts_id, slots)",
        ),
        ("slots = 42", "kis.apps[0].slots: must be less than or equal to 41"),
        ('slots = "9"', "kis.apps[0].slots: must be a whole number"),
        ("[mqtt]\nusername = 1", "mqtt.username: must be a text"),
        ("[mqtt]\nbase_topic = 'a//b'", f"mqtt.base_topic: {LEVELS}"),
        ("[mqtt]\nbase_topic = 'a/#'", f"mqtt.base_topic: {LEVELS}"),
        (
            "[mqtt]\nurl = 'http://x'",
            (
                "mqtt.url[0]: must be mqtt://HOST:PORT or mqtts://HOST:PORT "
                "or ws://HOST:PORT or wss://HOST:PORT"
            ),
        ),
        (
            "[mqtt]\nurl = 'mqtt://u:p@x'",
            ("mqtt.url[0]: must not hold a user name or password; they have keys of their own"),
        ),
        ("[mqtt]\nurl = 'mqtt://x:1/y'", "mqtt.url[0]: nothing may follow the port"),
        ("[mqtt]\nurl = 'mqtt://x?y'", "mqtt.url[0]: must not hold blanks, '?' or '#'"),
        ("[mqtt]\nurl = 'mqtt://x:99999'", "mqtt.url[0]: must be a URL (mqtt, mqtts, ws, wss)"),
        ("[mqtt]\nurl = []", "mqtt.url: must not be empty"),
        ("[mqtt]\nurl = ['embedded', 'mqtt://x']", "mqtt.url: 'embedded' stands alone"),
        ("[mqtt]\nurl = 3", "mqtt.url: must be a list"),
        ("[mqtt]\nca_file = 'no.pem'", "mqtt.ca_file: no such file: no.pem"),
        ("[mqtt]\npassword = { env = 'KIS_APP_KEY' }", "mqtt.password: needs mqtt.username"),
        ("[mqtt]\nresponse_prefixes = ['+']", f"mqtt.response_prefixes[0]: {LEVELS}"),
        ("[orders]\nallow_real = 'yes'", "orders.allow_real: must be true or false"),
        ("[orders]\nlimits = 3", "orders.limits: must be a table"),
        ("[orders.limits]\nnotional = '10'", "orders.limits.notional: must be a number"),
        ("[orders.limits]\nnotional = true", "orders.limits.notional: must be a number"),
        ("[orders.limits]\nnotional = inf", "orders.limits.notional: must be a finite number"),
        ("[orders.limits]\nquantity = 0", "orders.limits.quantity: must be greater than 0"),
        (
            "[orders.limits]\nsymbols = ['005930 ']",
            "orders.limits.symbols[0]: must be a symbol such as 005930, AAPL or BRK/B",
        ),
        (
            "[orders.limits]\ndenied_symbols = ['aapl']",
            "orders.limits.denied_symbols[0]: must be a symbol such as 005930, AAPL or BRK/B",
        ),
        (
            "[orders.limits]\nprice_band = 1.5",
            "orders.limits.price_band: must be less than or equal to 1",
        ),
        (
            "[orders.clients.'a/b']\naccounts = ['x']",
            ("orders.clients.a/b: must be 1 to 64 of A-Z a-z 0-9 . _ @ -"),
        ),
        (
            "[orders.clients.bob]\naccounts = ['main']",
            ("orders.clients.bob.accounts[0]: no account 'main' (kis.accounts is empty)"),
        ),
        (
            "[requests]\nverbs = ['query', 'hlat']",
            "requests.verbs[1]: no request 'hlat' (did you mean 'halt'?)",
        ),
        (
            "[requests.clients.bob]\nverbs = ['zzz']",
            (
                "requests.clients.bob.verbs[0]: no request 'zzz' (one of subscribe, unsubscribe, "
                "subscriptions, channels, snapshot, query, symbols, halt, resume, resolve, adopt)"
            ),
        ),
        ("[requests]\nverbs = 'query'", "requests.verbs: must be a list"),
        (
            "[requests]\nquery = ['a b']",
            (
                "requests.query[0]: must be a call of the workbook, with * for any part: "
                "domestic_stock/*"
            ),
        ),
        ("[requests]\nquerry = []", "requests.querry: unknown key (did you mean 'query'?)"),
        (
            "[requests]\naccounts = ['main']",
            "requests.accounts[0]: no account 'main' (kis.accounts is empty)",
        ),
        (
            "[requests.clients.bob]\naccounts = ['main']",
            "requests.clients.bob.accounts[0]: no account 'main' (kis.accounts is empty)",
        ),
        (
            "[market.kinds.quote]\nqos = 2",
            "market.kinds.quote.qos: must be less than or equal to 1",
        ),
        (
            "[[market.subscriptions]]\nmarket = 'domestic_stock'",
            (
                "market.subscriptions[0]: needs "
                "market, venue, kinds and symbols; or channel and keys"
            ),
        ),
        (
            "[[market.subscriptions]]\nchannel = 'H0STCNT0'\nkeys = ['']",
            ("market.subscriptions[0].keys[0]: must be 1 to 32 characters without '^' and '|'"),
        ),
        (
            "[[market.subscriptions]]\nchannel = 'x'\nkeys = ['005930']",
            ("market.subscriptions[0].channel: must be a TR id such as H0STCNT0"),
        ),
        (
            "[journal]\nurl = 'orders.db'",
            ("journal.url: must be sqlite:///FILE, postgresql+psycopg://…, mariadb+…://…"),
        ),
        ("[dashboard]\nlisten = '8780'", "dashboard.listen: must be HOST:PORT"),
        ("[log]\nlevel = 'loud'", "log.level: must be 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_wrong_values(addition: str, line: str) -> None:
    assert refusal(KIS + addition) == f"bridge.toml: {line}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[kis]\nenvironment = \n", "Invalid value (at line 2, column 15)"),
        ("a = 1\na = 2\n", "Cannot overwrite a value (at line 2, column 6)"),
        ("x = " + "[" * 5000, "nested too deeply"),
    ],
)
def test_broken_toml(text: str, line: str) -> None:
    assert refusal(text) == f"bridge.toml: {line}"


def test_not_text() -> None:
    Path("bridge.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match=r"^bridge.toml: not UTF-8 text \(byte 5\)$"):
        load(Path("bridge.toml"), {})


def test_no_file() -> None:
    with pytest.raises(ConfigError, match=r"^none\.toml: No such file or directory$"):
        load(Path("none.toml"), {})


def test_nothing_at_all() -> None:
    with pytest.raises(ConfigError, match=r"^environment: kis: is missing$"):
        load(None, {})


def test_every_problem_is_kept() -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read(KIS + "[log]\nlevl = 'x'\nlevel = 'x'")
    assert caught.value.problems == (
        "bridge.toml: log.levl: unknown key (did you mean 'level'?)",
        "bridge.toml: log.level: must be 'debug', 'info', 'warning' or 'error'",
    )


# secrets


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("{ env = 'NOWHERE' }", "environment variable NOWHERE is not set"),
        ("{ env = 'EMPTY' }", "environment variable EMPTY is not set"),
        ("{ file = 'none' }", "cannot read none: No such file or directory"),
        ("{ file = 'open' }", "open can be read by others: chmod 600 open"),
        ("{ file = 'binary' }", "binary is not UTF-8 text"),
        ("{ file = 'blank' }", "must not be empty"),
        ("{ file = 'long' }", "cannot read long: more than 65536 bytes"),
        ("{ fil = 'x' }", FORMS),
        ("{ env = 'A', file = 'x' }", FORMS),
        ("3", f"{FORMS}, or a text"),
        (
            "'plain'",
            (
                "a plain secret in a file that others can read "
                '(chmod 600 bridge.toml, or { env = "NAME" })'
            ),
        ),
    ],
)
def test_unusable_secrets(value: str, line: str) -> None:
    for name, content, mode in (
        ("open", b"x", 0o640),
        ("binary", b"\xff", 0o600),
        ("blank", b" \n", 0o600),
        ("long", b"x" * 65_537, 0o600),
    ):
        Path(name).write_bytes(content)
        Path(name).chmod(mode)
    text = KIS.replace('{ env = "KIS_APP_KEY" }', value)
    assert refusal(text, EMPTY="") == f"bridge.toml: kis.apps[0].app_key: {line}"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.timeout(10)
def test_a_pipe_in_the_place_of_a_file_does_not_hold_the_start() -> None:
    os.mkfifo("pipe", 0o600)
    text = KIS.replace('{ env = "KIS_APP_KEY" }', "{ file = 'pipe' }")
    line = "cannot read pipe: is a pipe, socket or device and no file"
    assert refusal(text) == f"bridge.toml: kis.apps[0].app_key: {line}"
    with pytest.raises(ConfigError, match=r"^pipe: is a pipe, socket or device and no file$"):
        load(Path("pipe"), KEYS)


def test_secret_file_is_stripped_and_found_beside_the_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "key").write_text(" the-key\n")
    (folder / "key").chmod(0o600)
    (folder / "b.toml").write_text(KIS.replace('{ env = "KIS_APP_KEY" }', "{ file = 'key' }"))
    config = load(folder / "b.toml", KEYS)
    assert config.kis.apps[0].app_key == SecretStr("the-key")


def test_plain_secrets_in_a_private_file() -> None:
    config = read(KIS + "[mqtt]\nusername = 'b'\npassword = 'pw'", mode=0o600)
    assert config.mqtt.password == SecretStr("pw")
    assert "pw" not in repr(config)


def test_journal_url_is_a_secret_only_with_a_password() -> None:
    assert read(KIS + "[journal]\nurl = 'sqlite:///x.db'").journal.url is not None
    url = "postgresql+psycopg://me:pw@db/orders"
    assert "journal.url: a plain secret" in refusal(KIS + f"[journal]\nurl = '{url}'")
    config = read(KIS + f"[journal]\nurl = '{url}'", mode=0o600)
    assert config.journal_url == SecretStr(url)
    assert SecretStr("pw") in config.secrets()


def test_every_form_of_a_secret_is_known_for_redaction() -> None:
    known = {secret.get_secret_value() for secret in read(KIS + ACCOUNT).secrets()}
    assert known == {"app-key", "app-secret", "12345678-01", "1234567801", "12345678"}


def test_no_error_shows_a_secret() -> None:
    text = refusal(KIS + ACCOUNT, KIS_ACCOUNT="99887766554")
    assert text == (
        "bridge.toml: kis.accounts[0].number: must be an account number: 12345678-01 (10 digits)"
    )


# KIS


@pytest.mark.parametrize("number", ["12345678-01", "1234567801"])
def test_account_numbers(number: str) -> None:
    account = read(KIS + ACCOUNT, KIS_ACCOUNT=number).kis.accounts[0]
    assert account.cano == SecretStr("12345678")
    assert account.product_code == "01"


def test_aliases() -> None:
    second = KIS.partition("[[kis.apps]]")[2]
    assert refusal(KIS + "[[kis.apps]]" + second) == (
        "bridge.toml: kis.apps[1].alias: 'app1' is already taken"
    )
    assert refusal(KIS + ACCOUNT + ACCOUNT) == (
        "bridge.toml: kis.accounts[1].alias: 'main' is already taken"
    )
    assert refusal(KIS + ACCOUNT.replace("app1", "app2")) == (
        "bridge.toml: kis.accounts[0].app: no app 'app2' (one of app1)"
    )
    assert refusal(KIS + ACCOUNT.replace("main", "my account")) == (
        "bridge.toml: kis.accounts[0].alias: must be 1 to 32 of A-Z a-z 0-9 _ -"
    )


@pytest.mark.parametrize(
    ("environment", "rest_url", "ws_url", "rate"),
    [
        ("simulator", "http://127.0.0.1:8790", "ws://127.0.0.1:8791", 1000),
        (
            "paper",
            "https://openapivts.koreainvestment.com:29443",
            "ws://ops.koreainvestment.com:31000",
            1,
        ),
        (
            "real",
            "https://openapi.koreainvestment.com:9443",
            "ws://ops.koreainvestment.com:21000",
            18,
        ),
    ],
)
def test_environments(environment: str, rest_url: str, ws_url: str, rate: int) -> None:
    kis = read(KIS.replace('"paper"', f'"{environment}"')).kis
    assert (kis.rest_url, kis.ws_url, kis.rest_per_second) == (rest_url, ws_url, rate)


def test_urls_can_be_overridden_but_keys_never_travel_in_the_clear() -> None:
    kis = read(KIS.replace("[[", 'rest_url = "http://127.0.0.1:1/"\n[[', 1)).kis
    assert kis.rest_url == "http://127.0.0.1:1"
    assert refusal(KIS.replace("[[", 'rest_url = "http://example.org"\n[[', 1)) == (
        "bridge.toml: kis.rest_url: must be https:// (app keys travel there), or on this machine"
    )


def test_real_tr_ids_of_a_simulator_go_nowhere_else() -> None:
    here = KIS.replace('"paper"', '"simulator"\nsimulates = "real"')
    assert (read(here).kis.paper, read(KIS.replace("paper", "simulator")).kis.paper) == (
        False,
        True,
    )
    assert refusal(here.replace("[[", 'rest_url = "https://example.org"\n[[', 1)) == (
        'bridge.toml: kis.rest_url: must be on this machine with simulates = "real"'
    )
    assert refusal(KIS.replace('"paper"', '"paper"\nsimulates = "real"')) == (
        'bridge.toml: kis.simulates: real is for environment = "simulator" alone'
    )


def test_unknown_environment_is_one_problem() -> None:
    assert refusal(KIS.replace("paper", "papr")) == (
        "bridge.toml: kis.environment: must be 'simulator', 'paper' or 'real'"
    )


def test_state_dir_and_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config = read(KIS)
    assert config.kis.state_dir == Path("/home/someone/.local/state/kis-bridge")
    assert config.journal_url == SecretStr(f"sqlite:///{config.kis.state_dir}/orders.db")
    for url in ("sqlite:////var/orders.db", "sqlite:///:memory:"):
        assert read(KIS + f"[journal]\nurl = '{url}'").journal_url == SecretStr(url)


# broker, market, orders


def test_client_certificates(tmp_path: Path) -> None:
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).touch(0o600)
    pair = "cert_file = 'c.pem'\nkey_file = 'k.pem'\n"
    config = read(KIS + "[mqtt]\nurl = 'mqtts://b'\n" + pair)
    assert config.mqtt.authenticated
    assert refusal(KIS + "[mqtt]\n" + pair) == (
        "bridge.toml: mqtt.cert_file: needs an mqtts:// or wss:// mqtt.url"
    )
    assert refusal(KIS + "[mqtt]\nurl = 'mqtts://b'\ncert_file = 'c.pem'") == (
        "bridge.toml: mqtt.cert_file: needs mqtt.key_file"
    )
    (tmp_path / "k.pem").chmod(0o640)  # for a group that is there to read keys
    assert read(KIS + "[mqtt]\nurl = 'mqtts://b'\n" + pair).mqtt.authenticated
    (tmp_path / "k.pem").chmod(0o644)
    assert refusal(KIS + "[mqtt]\nurl = 'mqtts://b'\n" + pair) == (
        "bridge.toml: mqtt.key_file: others can read it: chmod 600 k.pem"
    )


def test_several_brokers() -> None:
    config = read(KIS + "[mqtt]\nurl = ['mqtt://a:1', 'wss://b/mqtt']")
    assert config.mqtt.url == ("mqtt://a:1", "wss://b/mqtt")
    assert not config.mqtt.embedded
    assert read(KIS + "[mqtt]\nurl = 'embedded'").mqtt.embedded


def test_kinds_conflate_by_default_where_only_the_last_matters() -> None:
    market = read(
        KIS + "[market.kinds.quote]\nqos = 1\n[market.kinds.trade]\nretain = false"
    ).market
    assert market.kind("quote").conflate
    assert market.kind("quote").qos == 1
    assert market.kind("expected").conflate
    assert not market.kind("trade").conflate
    assert not market.kind("trade").retain
    assert market.kind("program").expire_s == 86400
    assert not read(KIS + "[market.kinds.quote]\nconflate = false").market.kind("quote").conflate


def test_who_may_trade_where() -> None:
    orders = read(KIS + ACCOUNT + "[orders.clients.alice]\naccounts = ['main']").orders
    assert orders.permits("alice", "main")
    assert not orders.permits("alice", "other")
    assert not orders.permits("bob", "main")
    assert not orders.permits("", "main")


@pytest.mark.parametrize(("environment", "everybody"), [("simulator", True), ("paper", False)])
def test_nobody_named_means_everybody_with_the_simulator_alone(
    environment: str, everybody: bool
) -> None:
    text = KIS.replace('"paper"', f'"{environment}"') + ACCOUNT
    config = read(text)
    assert config.may_trade("anyone", "main") is everybody
    assert (config.trading_is_open, config.requests_are_open) == (everybody, everybody)
    named = read(text + "[orders.clients.alice]\naccounts = ['main']")
    assert named.may_trade("alice", "main")
    assert not named.may_trade("anyone", "main")
    assert named.requests_are_open is everybody
    assert not read(text + "[requests.clients.ops]\nrole = 'admin'").requests_are_open
    assert not read(text + "[requests]\nverbs = ['query']").requests_are_open


def test_a_signing_key_is_long_and_is_a_secret() -> None:
    named = ALICE + "signing_key = { env = 'ALICE_KEY' }"
    config = read(KIS + ACCOUNT + named, ALICE_KEY="k" * 32)
    key = config.orders.clients["alice"].signing_key
    assert key in config.secrets()
    assert "kkkk" not in repr(config)
    with pytest.raises(ConfigError, match="signing_key: must have 32 to 1024 characters: openssl"):
        read(KIS + ACCOUNT + named, ALICE_KEY="k" * 31)


def test_who_may_ask_for_what() -> None:
    text = (
        KIS
        + ACCOUNT
        + """
[requests]
verbs = ["query", "channels"]
query = ["domestic_stock/*", "*/inquire_price", "*"]
accounts = []
[requests.clients."alice@desk"]
accounts = ["main"]
"""
    )
    requests = read(text).requests
    assert requests.verbs == ("query", "channels")
    assert requests.accounts == ()
    assert requests.clients["alice@desk"].accounts == ("main",)
    assert requests.clients["alice@desk"].verbs is None
    assert read(KIS).requests.query is None
    requests = read(
        KIS,
        KIS_BRIDGE_REQUESTS__QUERY='["domestic_stock/*"]',
        KIS_BRIDGE_REQUESTS__CLIENTS__BOB__VERBS='["halt"]',
    ).requests
    assert (requests.query, requests.clients["bob"].verbs) == (("domestic_stock/*",), ("halt",))


REAL = KIS.replace('"paper"', '"real"')


KNOWN = "[mqtt]\nusername = 'b'\npassword = { env = 'KIS_APP_KEY' }\n"
ALICE = "[orders.clients.alice]\naccounts = ['main']\n"


def test_real_orders_must_be_allowed() -> None:
    assert read(KIS).orders_allowed
    assert not read(REAL).orders_allowed
    assert read(REAL + ACCOUNT + KNOWN + ALICE + "[orders]\nallow_real = true").orders_allowed


def test_a_real_account_needs_an_authenticated_broker() -> None:
    advice = (
        "bridge.toml: mqtt.username: kis.environment = 'real' needs an authenticated broker: set "
        "mqtt.username and mqtt.password, or mqtt.cert_file and mqtt.key_file"
    )
    for text in (REAL + "[orders]\nallow_real = true\n", REAL + ACCOUNT):
        assert refusal(text) == advice
        assert refusal(text + "[mqtt]\nusername = 'b'") == advice
        assert refusal(text + "[mqtt]\nurl = 'embedded'") == (
            "bridge.toml: mqtt.url: real accounts need a broker of your own, not 'embedded'"
        )
    assert read(REAL).mqtt.username is None  # market data alone


@pytest.mark.parametrize("url", ["mqtt://192.0.2.1", "ws://broker:9001", "mqtt://127.0.0.1.x:1"])
def test_real_money_does_not_travel_in_plain_text(url: str) -> None:
    url_of = f"url = ['mqtt://localhost', '{url}']\n"
    said = refusal(REAL + ACCOUNT + KNOWN + url_of)
    assert said.startswith("bridge.toml: mqtt.url[1]: ")
    assert "plain text" in said
    assert f"use {url.split(':')[0]}s://" in said
    assert read(KIS + ACCOUNT + KNOWN + url_of).mqtt.username  # paper may
    for safe in ("mqtts://broker", "wss://broker", "mqtt://127.0.0.9", "mqtt://[::1]:1"):
        assert read(REAL + ACCOUNT + KNOWN + f"url = '{safe}'").mqtt.url == (safe,)


def test_real_orders_need_the_names_of_those_who_may_trade() -> None:
    allowed = REAL + ACCOUNT + KNOWN + "[orders]\nallow_real = true\n"
    assert refusal(allowed) == (
        "bridge.toml: orders.clients: real orders need the names of those who may trade: "
        '[orders.clients.NAME] accounts = ["ALIAS"]'
    )
    assert read(allowed + ALICE).may_trade("alice", "main")


def test_the_key_of_a_client_certificate_is_nobody_elses(tmp_path: Path) -> None:
    for name, mode in (("b.pem", 0o644), ("b.key", 0o640)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    pem, key = tmp_path / "b.pem", tmp_path / "b.key"
    text = f"[mqtt]\nurl = 'mqtts://b'\ncert_file = '{pem}'\nkey_file = '{key}'\n"
    said = refusal(REAL + ACCOUNT + text)
    assert said == f"bridge.toml: mqtt.key_file: can be read by others: chmod 600 {key}"
    key.chmod(0o600)
    assert read(REAL + ACCOUNT + text).mqtt.authenticated


@pytest.mark.parametrize(
    ("environment", "key", "url", "known"),
    [
        ("paper", "rest_url", "https://openapi.koreainvestment.com:9443", "real"),
        ("simulator", "rest_url", "https://OpenAPI.koreainvestment.com:9443", "real"),
        ("real", "rest_url", "https://openapivts.koreainvestment.com:29443", "paper"),
        ("paper", "ws_url", "ws://ops.koreainvestment.com:21000", "real"),
    ],
)
def test_a_server_of_the_other_environment_is_refused(
    environment: str, key: str, url: str, known: str
) -> None:
    text = KIS.replace('environment = "paper"', f'environment = "{environment}"\n{key} = "{url}"')
    said = refusal(text)
    assert said.startswith(f"bridge.toml: kis.{key}: is KIS's server for {known} trading")


# the environment


def test_environment_wins_over_the_file() -> None:
    config = read(
        KIS + "[mqtt]\nurl = 'mqtt://file'\nbase_topic = 'x'\n[orders.limits]\nquantity = 1",
        KIS_BRIDGE_MQTT__URL="mqtt://env",
        KIS_BRIDGE_ORDERS__LIMITS__PRICE_BAND="0.07",
        KIS_BRIDGE_ORDERS__LIMITS__PER_MINUTE="7",
        KIS_BRIDGE_HOMEASSISTANT__ENABLED="true",
    )
    assert config.mqtt.url == ("mqtt://env",)
    assert config.mqtt.base_topic == "x"
    assert config.orders.limits.quantity == 1
    assert config.orders.limits.price_band == Decimal("0.07")
    assert config.orders.limits.per_minute == 7
    assert config.homeassistant.enabled


def test_environment_alone_holds_lists_as_json_and_plain_secrets() -> None:
    config = load(
        None,
        {
            "KIS_BRIDGE_KIS__ENVIRONMENT": "simulator",
            "KIS_BRIDGE_KIS__APPS": '[{"alias": "a", "app_key": "k", "app_secret": "s"}]',
            "KIS_BRIDGE_MQTT__URL": '["mqtt://a", "mqtt://b"]',
            "KIS_BRIDGE_MQTT__USERNAME": "b",
            "KIS_BRIDGE_MQTT__PASSWORD": "p",
            "KIS_BRIDGE_ORDERS__LIMITS": '{"price_band": 0.07}',
            "HOME": "/home/someone",
        },
    )
    assert config.kis.apps[0].app_key == SecretStr("k")
    assert config.mqtt.url == ("mqtt://a", "mqtt://b")
    assert config.mqtt.password == SecretStr("p")
    assert config.orders.limits.price_band == Decimal("0.07")


def test_clients_from_the_environment() -> None:
    config = read(KIS + ACCOUNT, KIS_BRIDGE_ORDERS__CLIENTS__ALICE__ACCOUNTS='["main"]')
    assert config.orders.permits("alice", "main")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("MQTT_URL", "x", "KIS_BRIDGE_MQTT_URL: unknown key (did you mean KIS_BRIDGE_MQTT__URL?)"),
        (
            "MQTT__USRNAME",
            "x",
            "KIS_BRIDGE_MQTT__USRNAME: unknown key (did you mean KIS_BRIDGE_MQTT__USERNAME?)",
        ),
        ("NOTHING_LIKE_IT", "x", "KIS_BRIDGE_NOTHING_LIKE_IT: unknown key"),
        ("", "x", "KIS_BRIDGE_: unknown key"),
        ("__", "x", "KIS_BRIDGE___: unknown key"),
        ("ORDERS__ALLOW_REAL", "maybe", "KIS_BRIDGE_ORDERS__ALLOW_REAL: must be true or false"),
        (
            "ORDERS__LIMITS__QUANTITY",
            "x",
            "KIS_BRIDGE_ORDERS__LIMITS__QUANTITY: must be a whole number",
        ),
        ("ORDERS__LIMITS", "{bad", "KIS_BRIDGE_ORDERS__LIMITS: not valid JSON"),
        ("ORDERS", "3", "KIS_BRIDGE_ORDERS: must be a table"),
        ("KIS__APPS__0__ALIAS", "z", "KIS_BRIDGE_KIS__APPS__0__ALIAS: must be a list"),
        (
            "KIS__APPS",
            '[{"alias": "a", "app_kee": "k", "app_secret": "s"}]',
            "KIS_BRIDGE_KIS__APPS[0].app_kee: unknown key (did you mean 'app_key'?) (and 1 more)",
        ),
    ],
)
def test_wrong_variables(name: str, value: str, line: str) -> None:
    assert refusal(KIS, 0o644, **{f"KIS_BRIDGE_{name}": value}) == line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KIS__STATE_DIR", "~nobody-by-this-name/x"),
        ("MQTT__CA_FILE", "~nobody-by-this-name/x"),
        ("MQTT__CA_FILE", "x" * 5000),
        ("KIS__APPS", '[{"alias":"a","app_key":{"file":"~nobody-by-this-name/x"}}]'),
        ("KIS__APPS", "9" * 5000),
        ("MARKET", "[" * 100_000),
    ],
)
def test_values_that_python_itself_refuses(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {f"KIS_BRIDGE_{name}": value})
    lines = getattr(caught.value, "problems", [str(caught.value)])
    assert any(line.startswith(f"KIS_BRIDGE_{name}") for line in lines)


def test_permissions_say_nothing_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("open.toml")
    path.touch(mode=0o666)
    path.chmod(0o666)
    assert open_to_others(path)
    monkeypatch.setattr("sys.platform", "win32")
    assert not open_to_others(path)


def test_variables_that_are_no_settings() -> None:
    text = KIS + "[mqtt]\nusername = 'b'\npassword = { env = 'KIS_BRIDGE_BROKER' }"
    config = read(text, KIS_BRIDGE_BROKER="pw", KIS_BRIDGE_DEBUG="1")
    assert config.mqtt.password == SecretStr("pw")


# anything at all

_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.decimals(allow_nan=True)
)
_names = st.text(max_size=6) | st.sampled_from(
    [
        *Config.model_fields,
        *KisConfig.model_fields,
        *AppConfig.model_fields,
        *MqttConfig.model_fields,
        *OrdersConfig.model_fields,
        *LimitsConfig.model_fields,
        *SubscriptionConfig.model_fields,
        "env",
        "file",
    ]
)
_trees = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=15,
)


@given(tree=st.dictionaries(_names, _trees, max_size=4))
def test_no_tree_raises_anything_else(tree: dict[str, Any]) -> None:
    with contextlib.suppress(ValidationError):
        Config.model_validate(tree)


@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_file_raises_anything_else(data: bytes) -> None:
    path = Path("random.toml")
    path.write_bytes(data)
    with pytest.raises(ConfigError):
        load(path, {})


@given(
    tree=st.dictionaries(_names, _trees, max_size=4),
    path=st.lists(_names, max_size=4),
    value=st.text(max_size=12),
)
def test_load_raises_only_its_own_error(tree: dict[str, Any], path: list[str], value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge.config.load.read_file", lambda _path: tree)
        Path("any.toml").touch()
        try:
            load(Path("any.toml"), {"KIS_BRIDGE_" + "__".join(path): value})
        except ConfigError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x = 1e999999999", "the number 1e999999999 would have more than 64 digits"),
        ("x = 1e-999999999", "the number 1e-999999999 would have more than 64 digits"),
        ("x = 0x" + "f" * 900_000, "a number has more than 64 digits"),
        ("x = " + "[" * 400_000, "nested too deeply"),
        ("a." * 400_000 + "x = 1", "line 1: more than 200 points, split it"),
        ("#" * (1 << 20) + "#", "more than 1048576 bytes"),
    ],
    ids=lambda value: value[:12],
)
def test_a_file_that_would_cost_more_than_its_length(line: str, says: str) -> None:
    began = time.process_time()
    assert refusal(line) == f"bridge.toml: {says}"
    assert time.process_time() - began < 2


@pytest.mark.parametrize("amount", ["1e999999999", "1e-999999999", "9" * 65])
def test_an_amount_of_the_environment_is_no_longer_than_a_number_may_be(amount: str) -> None:
    line = refusal(KIS, KIS_BRIDGE_ORDERS__LIMITS__NOTIONAL=amount)
    assert line.endswith("must have at most 64 digits")


@pytest.mark.parametrize("value", ["[1e999999999]", "[" + "9" * 65 + "]", "[" * 50_000])
def test_json_of_the_environment_has_the_bounds_of_all_json(value: str) -> None:
    assert refusal(KIS, KIS_BRIDGE_MQTT__URL=value) == "KIS_BRIDGE_MQTT__URL: not valid JSON"


def test_candles_are_off_unless_said_and_bounded() -> None:
    assert read(KIS).candles == ()
    [entry] = read(KIS + "[[candles]]\nvenue = 'krx'\nintervals = ['1s', '1d']").candles
    assert entry.matches("domestic_stock", "krx", "005930")
    assert not entry.matches("domestic_stock", "nxt", "005930")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "candles[0].intervals: is missing"),
        ("intervals = []", "candles[0].intervals: "),
        ("intervals = ['2m']", "candles[0].intervals[0]: must be '1s'"),
        ("intervals = ['1m', '1m']", "candles[0].intervals: names an interval twice"),
        (
            f"intervals = ['1s', '1m']\nsymbols = {[f'{n:06}' for n in range(5_001)]}",
            "candles: more than 10000 symbols times intervals",
        ),
    ],
)
def test_wrong_candles_are_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(KIS + f"[[candles]]\n{text}")
    assert message in str(raised.value)
