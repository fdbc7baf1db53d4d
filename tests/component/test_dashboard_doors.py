"""Who gets in to the web page: names, foreign pages, logins, and texts that would be HTML."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from pydantic import SecretStr

from bridge.config.dashboard import DashboardConfig
from bridge.dashboard.listen import Listen
from bridge.dashboard.server import Dashboard
from bridge.errors import ConfigError
from tests.component.test_dashboard import World

PASSWORD = "a pass phrase: ünlike any other"
LOGIN = ("kis-bridge", PASSWORD)
PATHS = ("/", "/page.js", "/page.css", "/stream", "/health", "/metrics", "/nothing")


@asynccontextmanager
async def served(
    config: DashboardConfig | None = None, world: World | None = None
) -> AsyncIterator[Dashboard]:
    dashboard = Dashboard((world or World()).sources, Listen("127.0.0.1", 0), config)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(dashboard.run())
        yield dashboard
        serving.cancel()


def locked(**more: Any) -> DashboardConfig:
    return DashboardConfig(password=SecretStr(PASSWORD), **more)


async def get(url: str, **options: Any) -> httpx.Response:
    """Return the head of an answer; a stream has no end."""
    verify = options.pop("verify", True)
    async with (
        httpx.AsyncClient(trust_env=False, verify=verify) as client,
        client.stream("GET", url, **options) as response,
    ):
        if "event-stream" not in response.headers["content-type"]:
            await response.aread()
        return response


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    key.chmod(0o600)
    return cert, key


async def test_every_answer_carries_the_locks() -> None:
    async with served() as dashboard:
        answers = [await get(dashboard.url + path) for path in PATHS]
        answers.append(await get(dashboard.url, headers={"host": "evil.example"}))
    assert [answer.status_code for answer in answers] == [200] * 6 + [404, 421]
    for answer in answers:
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/stream", "/health", "/metrics"])
async def test_another_page_may_not_ask(path: str) -> None:
    async with served() as dashboard:
        own = dashboard.url
        for origin, status in (
            (own, 200),
            ("http://evil.example", 403),
            ("null", 403),
            ("http://127.0.0.1:1", 403),
            ("http://127.0.0.1", 403),
            (f"{own}.evil.example", 403),
            ("file://", 403),
        ):
            answer = await get(own + path, headers={"origin": origin})
            assert answer.status_code == status, origin
        for site, mode, status in (
            ("same-origin", "cors", 200),
            ("none", "navigate", 200),
            ("cross-site", "navigate", 200),
            ("cross-site", "no-cors", 403),
            ("same-site", "cors", 403),
        ):
            fetched = {"sec-fetch-site": site, "sec-fetch-mode": mode}
            assert (await get(own + path, headers=fetched)).status_code == status, site
        metrics = (await get(f"{own}/metrics")).text
    assert 'kis_bridge_web_refused_total{reason="origin"} 8.0' in metrics


async def test_names_of_a_proxy_are_taken_when_they_are_configured() -> None:
    config = DashboardConfig(hosts=("KIS.example.com",))
    async with served(config) as dashboard:
        for host, status in (
            ("kis.example.com", 200),
            ("Kis.Example.com:443", 200),
            ("evil.example", 421),
            ("kis.example.com.evil.example", 421),
            ("xkis.example.com", 421),
            ("kis.example.com@evil.example", 421),
            ("evil.example#kis.example.com", 421),
        ):
            answer = await get(dashboard.url, headers={"host": host})
            assert answer.status_code == status, host
        behind = {"host": "kis.example.com", "origin": "https://kis.example.com"}
        assert (await get(f"{dashboard.url}/stream", headers=behind)).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1\r\n\r\n",
        "GET http://evil.example/health HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET /health HTTP/1.0\r\n\r\n",
        "POST /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_whatever_else_is_written_gets_nothing(head: str) -> None:
    async with served() as dashboard:
        reader, writer = await asyncio.open_connection("127.0.0.1", dashboard.port)
        writer.write(head.encode())
        status = await reader.readline()
        assert status.split()[1] in (b"400", b"405", b"421"), status
        writer.close()


async def test_nothing_without_the_login() -> None:
    async with served(locked()) as dashboard:
        for path in PATHS:
            answer = await get(dashboard.url + path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith('Basic realm="kis-bridge"')
            assert "KIS" not in answer.text
        for path, status in zip(PATHS, [200] * 6 + [404], strict=True):
            assert (await get(dashboard.url + path, auth=LOGIN)).status_code == status


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic %%%",
        "Basic YQ==",
        "Bearer " + PASSWORD.encode().hex(),
        "Basic " + "A" * 60_000,
        "Digest x",
    ],
)
async def test_what_is_no_login_does_not_come_in(header: str) -> None:
    async with served(locked()) as dashboard:
        answer = await get(f"{dashboard.url}/health", headers={"authorization": header})
        assert answer.status_code in (400, 401, 431)
        assert answer.status_code != 200


async def test_failed_logins_are_slowed_down_counted_and_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Longer than this test takes on a busy machine.
    monkeypatch.setattr("bridge.dashboard.failed_logins._AGAIN_S", 600.0)
    with structlog.testing.capture_logs() as logs:
        async with served(locked()) as dashboard:
            url = f"{dashboard.url}/metrics"
            wrong = [await get(url, auth=("kis-bridge", f"guess {i}")) for i in range(12)]
            assert [answer.status_code for answer in wrong] == [401] * 10 + [429] * 2
            # Also the right one, since otherwise the answer would tell it.
            late = await get(url, auth=LOGIN)
            assert (late.status_code, int(late.headers["retry-after"]) > 500) == (429, True)
            # Who sits behind another address is not locked out by this one.
            elsewhere = await get(url, auth=LOGIN, headers={"x-forwarded-for": "192.0.2.7"})
            assert elsewhere.status_code == 200
            assert 'kis_bridge_web_refused_total{reason="login"} 10.0' in elsewhere.text
            assert 'kis_bridge_web_refused_total{reason="too_many"} 3.0' in elsewhere.text
    said = [(line["event"], line["reason"], line["address"]) for line in logs]
    assert said == [
        ("web page refused", "login", "127.0.0.1"),
        ("web page refused", "too_many", "127.0.0.1"),
    ]
    assert "guess" not in str(logs)


async def test_over_tls(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    trusting = ssl.create_default_context(cafile=cert)
    async with served(locked(cert_file=cert, key_file=key)) as dashboard:
        assert dashboard.url.startswith("https://127.0.0.1:")
        answer = await get(f"{dashboard.url}/health", auth=LOGIN, verify=trusting)
        assert answer.status_code == 200
        origin = {"origin": dashboard.url}
        stream = await get(f"{dashboard.url}/stream", auth=LOGIN, verify=trusting, headers=origin)
        assert stream.status_code == 200
        plain = dashboard.url.replace("https:", "http:")
        with pytest.raises(httpx.HTTPError):
            await get(plain, auth=LOGIN)
        old = ssl.create_default_context(cafile=cert)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            await get(dashboard.url, auth=LOGIN, verify=old)


async def test_files_that_are_no_certificate_are_one_line(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    for path in (cert, key):
        path.write_text("nonsense")
        path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        Dashboard(World().sources, Listen("127.0.0.1", 0), locked(cert_file=cert, key_file=key))
    assert str(caught.value).startswith(f"dashboard.cert_file {cert}, dashboard.key_file {key}: no")


@pytest.mark.parametrize(
    ("environment", "banner"),
    [("simulator", "SIMULATED"), ("paper", "PAPER"), ("real", "REAL MONEY")],
)
async def test_nobody_mistakes_the_environment(environment: str, banner: str) -> None:
    world = World()
    world.sources = type(world.sources)(
        world.sources.numbers, world.sources.routes, world.orders, environment
    )
    async with served(world=world) as dashboard:
        page = (await get(dashboard.url)).text
        style = (await get(f"{dashboard.url}/page.css")).text
    assert f"<title>{banner} · kis-bridge</title>" in page
    assert f'<p class="banner {environment}" ' in page
    assert f">{banner}</p>" in page
    assert "{" not in page
    assert f".banner.{environment} {{ background:" in style


MARKUP = "<img src=x onerror=alert(1)>\"'`</script><script>alert(2)</script>javascript:alert(3)"
BROWSER = Path(__file__).with_name("tiny_browser.js")


def _run(program: list[str], written: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program, input=written, capture_output=True, text=True, timeout=30, check=False
    )


async def test_texts_of_kis_and_of_clients_stay_texts() -> None:
    node = shutil.which("node")
    if node is None:
        reason = "needs node: apt-get install nodejs"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    value = json.dumps(
        {"symbol": MARKUP, "name": MARKUP, "time": MARKUP, "seq": 1, "price": MARKUP, "change": 1}
    )
    order = dict.fromkeys(
        ("client_order_id", "client", "account", "symbol", "side", "state"), MARKUP
    )
    numbers = World().sources.numbers()
    events = [
        ["market", f'[{{"is":["domestic_stock",{json.dumps(MARKUP)},"trade"],"value":{value}}}]'],
        ["orders", json.dumps([order | {"quantity": MARKUP, "price": None}])],
        [
            "health",
            json.dumps(
                {**numbers, "sessions": {MARKUP: {**numbers["sessions"]["app1"], "state": MARKUP}}}
            ),
        ],
    ]
    async with served() as dashboard:
        page = (await get(dashboard.url)).text
        script = (await get(f"{dashboard.url}/page.js")).text
    written = json.dumps({"page": page, "script": script, "events": events})
    done = await asyncio.to_thread(_run, [node, str(BROWSER)], written)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["market"].count(MARKUP) >= 2
    assert shown["orders"].count(MARKUP) >= 6
    assert shown["sessions"].count(MARKUP) == 2
