"""A whole day with a KIS, a broker and users that have distinctive secrets: nobody tells one."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.brokers import Mosquitto, free_port
from tests.system.leaks import Leaks
from tests.system.programs import KIS_BRIDGE, Ear, Program, ask, bridge_toml, publish
from tests.system.telltale_kis import HTS_ID, TelltaleKis

BROKER_PASSWORD = "br0ker-pass w=rd/é+1"
PAGE_PASSWORD = "p4ge-pass w=rd/é+2"
JOURNAL_PASSWORD = "j0urnal-pa%3Ass-3"
JOURNAL = f"postgresql+psycopg://kis:{JOURNAL_PASSWORD}@127.0.0.1:1/orders"
MORE = """
[requests.clients.alice]
role = "admin"
accounts = ["main"]
[dashboard]
listen = "127.0.0.1:{port}"
password = {{ file = "page-password" }}
"""
TRADE = "kis/market/domestic_stock/krx/trade/005930"


def password_file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@contextmanager
def broker(folder: Path) -> Iterator[Mosquitto]:
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("needs mosquitto_passwd: apt-get install mosquitto")
    users = password_file(folder, "users", "")
    for name in ("bridge", "alice"):
        subprocess.run(
            [program, "-b", users, name, BROKER_PASSWORD], check=True, capture_output=True
        )
    with Mosquitto.running(folder, f"allow_anonymous false\npassword_file {users}\n") as running:
        yield running


@dataclass
class Day:
    """Everything that runs, and everything that was said of it."""

    kis: TelltaleKis
    broker: Mosquitto
    config: Path
    ear: Ear
    port: int
    said: dict[str, str] = field(default_factory=dict)

    def order(self, verb: str, name: str, **content: Any) -> Any:
        before = len(self.ear.heard)
        content |= {"client_order_id": name, "expires_at": "2999-01-01T00:00:00+09:00"}
        login = ("-u", "alice", "-P", BROKER_PASSWORD)
        publish(self.broker.port, f"kis/orders/main/alice/command/{verb}", content, *login)
        return self.ear.until(f"kis/orders/main/alice/ack/{name}", after=before).payload

    def ask(self, *args: str) -> subprocess.CompletedProcess[str]:
        done = ask(*args, "--config", str(self.config))
        self.said[" ".join(args)] = done.stdout + done.stderr
        return done

    def request(self, verb: str, content: dict[str, Any]) -> Any:
        before = len(self.ear.heard)
        login = ("-u", "alice", "-P", BROKER_PASSWORD)
        publish(self.broker.port, f"kis/bridge/request/{verb}/alice", content, *login)
        return self.ear.until(f"kis/bridge/response/{verb}/alice", after=before).payload

    def pages(self) -> None:
        login = ("kis-bridge", PAGE_PASSWORD)
        with httpx.Client(trust_env=False, base_url=f"http://127.0.0.1:{self.port}") as client:
            for path in ("/", "/page.js", "/health", "/metrics", "/nothing"):
                answer = client.get(path, auth=login)
                self.said[f"GET {path}"] = f"{answer.headers}\n{answer.text}"
            refused = client.get("/health", auth=("kis-bridge", "wrong"))
            self.said["GET without login"] = f"{refused.headers}\n{refused.text}"
            with client.stream("GET", "/stream", auth=login) as stream:
                events = ""
                for line in stream.iter_lines():
                    events += f"{line}\n"
                    if "event: health" in events and line == "":
                        break
            self.said["GET /stream"] = events
        assert "kis_bridge_" in self.said["GET /metrics"]
        assert "event: orders" in self.said["GET /stream"]


def trade(day: Day, start: str) -> None:
    """Place, change, cancel, fill, be refused."""
    price = day.ear.until(TRADE).payload["price"]
    low = price * 9 // 10_000 * 1_000
    what = {"market": "domestic_stock", "venue": "krx", "symbol": "005930", "side": "buy"}
    limit = what | {"order_type": "limit", "quantity": 2, "price": low}
    assert day.order("place", f"{start}-1", **limit)["status"] == "accepted"
    assert day.order("modify", f"{start}-1", price=low + 1000)["status"] == "accepted"
    assert day.order("cancel", f"{start}-1")["status"] == "accepted"
    market = what | {"order_type": "market", "quantity": 1}
    assert day.order("place", f"{start}-2", **market)["status"] == "accepted"
    topic = f"kis/orders/main/alice/state/{start}-2"
    day.ear.until(topic, lambda order: order and order["state"] == "filled")
    rejected = day.order("place", f"{start}-3", **limit | {"side": "sell", "quantity": 500})
    assert rejected["status"] == "rejected"
    assert "***" in rejected["kis"]["msg1"]  # KIS told its secrets here
    assert day.order("place", f"{start}-4", nonsense=1)["status"] == "refused"
    assert day.order("place", f"{start}-5", **limit)["status"] == "accepted"


def ask_around(day: Day) -> None:
    """Ask for whatever KIS and the journal can tell."""
    about = {"account": "main", "params": {}}
    balance = day.request("query", about | {"api": "inquire_balance"})
    assert balance["data"]["output1"], balance
    day.request("query", about | {"api": "no_such_call"})
    day.request("query", {"api": "inquire_balance", "account": "nobody"})
    day.request("halt", {})
    day.request("resume", {})
    day.request("subscribe", {"subscriptions": [{"channel": "H0STCNI9", "key": HTS_ID[:4]}]})
    day.kis.broken = True
    assert day.request("query", about | {"api": "inquire_balance"})["status"] == "error"
    day.kis.broken = False
    day.ask("orders", "--audit")
    day.ask("order", "show", "a-2", "--client", "alice")
    day.ask("check")
    assert "a-2" in day.said["orders --audit"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(120)
def test_a_whole_day_tells_no_secret(tmp_path: Path) -> None:
    port = free_port()
    tmp_path.chmod(0o700)
    with (
        TelltaleKis.running() as kis,
        broker(tmp_path) as mosquitto,
        Ear(mosquitto.port, login=("bridge", BROKER_PASSWORD)) as ear,
    ):
        password_file(tmp_path, "page-password", PAGE_PASSWORD)
        config = bridge_toml(tmp_path, kis.kis, mosquitto.url, MORE.format(port=port))
        login = f'[mqtt]\nusername = "bridge"\npassword = {json.dumps(BROKER_PASSWORD)}\n'
        config.write_text(config.read_text().replace("[mqtt]\n", login))
        day = Day(kis, mosquitto, config, ear, port)
        run = (*KIS_BRIDGE, "run", "--json", "--config", str(config))
        with Program(*run) as first:
            day.said["ready"] = first.line()
            trade(day, "a")
            ask_around(day)
            day.pages()
            day.said["arguments"] = _arguments(first.process.pid)
            first.stop(signal.SIGKILL)
        before = len(ear.heard)
        with Program(*run) as second:
            second.line()
            ear.until("kis/bridge/state", lambda said: said["state"] == "online", after=before)
            trade(day, "b")
            day.pages()
        day.said["first run"] = "\n".join(first.out + first.err)
        day.said["second run"] = "\n".join(second.out + second.err)
        # A wrong key, a wrong password, a journal that is not there.
        text = config.read_text()
        wrong = {
            "app secret": text.replace(kis.kis["app_secret"], kis.kis["app_secret"][::-1]),
            "broker": text.replace(json.dumps(BROKER_PASSWORD), json.dumps(BROKER_PASSWORD[::-1])),
            "journal": f'{text}\n[journal]\nurl = "{JOURNAL}"\n',
        }
        paths = {
            name: str(password_file(tmp_path, f"{name}.toml", content))
            for name, content in wrong.items()
        }
        day.said["check"] = ask("check", "--config", paths["app secret"]).stdout
        done = ask("run", "--config", paths["journal"])
        assert (done.returncode, done.stdout) == (1, "")
        day.said["run, journal"] = done.stderr
        with Program(*KIS_BRIDGE, "run", "--config", paths["broker"]) as refused:
            refused.wait("a refusal", lambda: any("not connected" in line for line in refused.err))
        day.said["run, broker"] = "\n".join(refused.err)
        day.said["topics and payloads"] = "\n".join(ear.out)
    assert kis.told > 30
    assert {"token", "approval key", "AES key", "AES iv"} <= set(kis.secrets)
    leaks = Leaks()
    for what, secret in kis.secrets.items():
        leaks.know(what, secret)
    for secret in (BROKER_PASSWORD, PAGE_PASSWORD, JOURNAL_PASSWORD, "j0urnal-pa:ss-3"):
        leaks.know("password", secret)
        leaks.know("password turned round", secret[::-1])
    leaks.know("app secret turned round", kis.kis["app_secret"][::-1])
    leaks.know_state(tmp_path / "state")
    found = leaks.look()
    for where, said in day.said.items():
        assert said, where
        found += leaks.found(said, where)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077:
            found += leaks.found(path.read_bytes().decode("latin-1"), str(path))
    assert found == []


def _arguments(pid: int) -> str:
    """Return what the process list shows of a process and of what it has started."""
    pids = {str(pid)}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        pids |= set((thread / "children").read_text().split())
    return " ".join(Path(f"/proc/{one}/cmdline").read_bytes().decode() for one in pids)


# the search itself


PLANTED: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "upper": str.upper,
    "lower": str.lower,
    "URL": lambda s: quote(s, safe=""),
    "JSON": json.dumps,
    "JSON in JSON": lambda s: json.dumps({"x": json.dumps({"y": s})}),
    "repr": repr,
    "bytes": lambda s: repr(s.encode()),
    "hex": lambda s: s.encode().hex(),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "login": lambda s: base64.b64encode(f"kis-bridge:{s}".encode()).decode(),
    "bearer": lambda s: base64.b64encode(f'{{"a":"{s}"}}'.encode()).decode(),
}


@pytest.mark.parametrize("form", PLANTED)
@pytest.mark.parametrize(
    "secret", [BROKER_PASSWORD, "86420975-01", "dst1htsid9", JOURNAL_PASSWORD, 'q"uo\\te-secret']
)
def test_the_search_finds_what_is_planted(secret: str, form: str) -> None:
    leaks = Leaks()
    leaks.know("planted", secret)
    text = '{"time":"2026-02-23T13:15:09","price":71900,' + PLANTED[form](secret) + "}"
    assert leaks.found(text, "here")
    assert not leaks.found('{"time":"2026-02-23T13:15:09","price":71900}', "here")


def test_the_search_knows_an_account_without_its_dash_and_its_first_eight_digits() -> None:
    leaks = Leaks()
    leaks.know("account", "86420975-01")
    for text in ("8642097501", "CANO=86420975&", '"86420975"', "x86420975-01"):
        assert leaks.found(text, "here"), text
    for text in ("1771864209751234", "186420975", "86420976-01", "***-01"):
        assert not leaks.found(text, "here"), text


def test_the_search_sees_files_and_tokens_of_a_state_folder(tmp_path: Path) -> None:
    leaks = Leaks()
    leaks.know_state(tmp_path)
    token = password_file(tmp_path, "token-1.json", '{"secret":"eyJ0eXAi.a-token-of-kis"}')
    assert leaks.look() == []
    leaks.take("Authorization: Bearer eyJ0eXAi.a-token-of-kis", "a log")
    assert len(leaks.look()) == 1
    token.chmod(0o640)
    assert leaks.look() == [f"{token} has mode 640"]


def test_what_a_program_of_these_tests_says_is_looked_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leaks = Leaks()
    leaks.know("planted", "a-planted-secret")
    monkeypatch.setattr("tests.system.programs.overheard", leaks)
    code = "import sys; print('a-planted'+'-secret'); print('a-planted'+'-secret', file=sys.stderr)"
    with Program(sys.executable, "-c", code) as program:
        program.ended()
        assert len(leaks.look()) == 1
        assert leaks.look() == []  # what was seen once is not seen again
    with Program(
        *KIS_BRIDGE, "watch", "--base", "a-planted-secret", "--url", "mqtt://127.0.0.1:1"
    ) as program:
        assert "the arguments of" in leaks.look()[0]
