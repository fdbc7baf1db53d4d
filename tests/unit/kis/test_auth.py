from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge.kis.auth import ApprovalKeys, Tokens
from bridge.kis.replies import KisNotSentError, KisRefusedError

URL = "https://kis.example:9443"
START = datetime(2026, 11, 20, 0, 0, tzinfo=UTC).timestamp()
TOO_OFTEN = {"error_code": "EGW00133", "error_description": "1분당 1회"}

Answer = Callable[[dict[str, Any]], "httpx.Response | Exception"]


class Kis:
    """The token endpoints of a KIS that answers as told, and the time it lives in."""

    def __init__(self) -> None:
        self.now = START
        self.asked: list[tuple[float, str, dict[str, Any]]] = []
        self.slept: list[float] = []
        self.answers: list[httpx.Response | Exception] = []
        self.gate: asyncio.Event | None = None
        self.was_asked, self.was_slept = asyncio.Event(), asyncio.Event()
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self.handle))

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((self.now, request.url.path, json.loads(request.content)))
        self.was_asked.set()
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else self.usual(request.url.path)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def usual(self, path: str) -> httpx.Response:
        serial = len(self.asked)
        if path == "/oauth2/Approval":
            return httpx.Response(200, json={"approval_key": f"approval-{serial}"})
        if path == "/oauth2/revokeP":
            return httpx.Response(200, json={"code": 200, "message": "ok"})
        return token(f"token-{serial}")

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.was_slept.set()
        self.now += seconds
        await asyncio.sleep(0)

    def tokens(self, store: Path, key: str = "app-key") -> Tokens:
        return Tokens(
            self.http,
            URL,
            SecretStr(key),
            SecretStr("app-secret"),
            store,
            clock=lambda: self.now,
            monotonic=lambda: self.now - START,
            sleep=self.sleep,
        )

    def approvals(self, store: Path) -> ApprovalKeys:
        return ApprovalKeys(
            self.http,
            URL + "/",
            SecretStr("app-key"),
            SecretStr("app-secret"),
            store,
            clock=lambda: self.now,
            sleep=self.sleep,
        )


def token(text: Any, **more: Any) -> httpx.Response:
    body = {"access_token": text, "token_type": "Bearer", "expires_in": 86400}
    return httpx.Response(200, json=body | more)


@pytest.fixture
def kis() -> Kis:
    return Kis()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state" / "kis"


def files(store: Path, pattern: str = "*") -> list[Path]:
    return sorted(store.glob(pattern))


def open_to(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True)
    folder.chmod(mode)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def read(tokens: Tokens, **options: Any) -> str:
    return (await tokens.token(**options)).get_secret_value()


async def test_a_token_is_asked_for_once_and_reused_across_restarts(kis: Kis, store: Path) -> None:
    first = kis.tokens(store)
    assert await read(first) == "token-1"
    assert await read(first) == "token-1"
    assert await read(kis.tokens(store)) == "token-1"
    assert kis.asked == [
        (
            START,
            "/oauth2/tokenP",
            {
                "grant_type": "client_credentials",
                "appkey": "app-key",
                "appsecret": "app-secret",
            },
        )
    ]


async def test_only_the_owner_can_read_it_and_its_name_tells_no_key(kis: Kis, store: Path) -> None:
    await kis.tokens(store).token()
    modes = {path.suffix: path.stat().st_mode & 0o777 for path in [store, *files(store)]}
    assert modes == {"": 0o700, ".json": 0o600, ".lock": 0o600}
    assert not any("app-key" in path.name for path in files(store))


async def test_app_keys_do_not_share_a_token(kis: Kis, store: Path) -> None:
    assert await read(kis.tokens(store, "one")) == "token-1"
    assert await read(kis.tokens(store, "two")) == "token-2"


async def test_many_callers_cause_one_request(kis: Kis, store: Path) -> None:
    kis.gate = asyncio.Event()
    tokens = kis.tokens(store)
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(read(tokens)) for _ in range(10)]
        await kis.was_asked.wait()
        kis.gate.set()
    assert {call.result() for call in calls} == {"token-1"}
    assert len(kis.asked) == 1


async def test_two_processes_cause_one_request(kis: Kis, store: Path) -> None:
    kis.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:  # a lock of the file is per open file, as elsewhere
        one = group.create_task(read(kis.tokens(store)))
        two = group.create_task(read(kis.tokens(store)))
        await kis.was_asked.wait()
        await kis.was_slept.wait()
        kis.gate.set()
    assert {one.result(), two.result()} == {"token-1"}
    assert len(kis.asked) == 1


@pytest.mark.parametrize(
    ("reply", "lives"),
    [
        ({}, 86400),
        ({"expires_in": 3600}, 3600),
        ({"access_token_token_expired": "2026-11-20 10:00:00"}, 3600),  # Korean: 01:00 UTC
        ({"access_token_token_expired": "2020-01-01 00:00:00"}, 86400),  # a clock is wrong
        ({"access_token_token_expired": "soon"}, 86400),
    ],
)
async def test_it_is_renewed_shortly_before_it_expires(
    kis: Kis, store: Path, reply: dict[str, Any], lives: int
) -> None:
    kis.answers = [token("first", **reply)]
    tokens = kis.tokens(store)
    margin = min(600, lives / 10)
    await tokens.token()
    kis.now = START + lives - margin - 1
    assert await read(tokens) == "first"
    kis.now += 2
    assert await read(tokens) == "token-2"


async def test_a_token_that_kis_calls_expired_is_replaced_once(kis: Kis, store: Path) -> None:
    tokens = kis.tokens(store)
    old = await tokens.token()
    kis.now += 3600
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(read(tokens, refresh_of=old)) for _ in range(5)]
    assert {call.result() for call in calls} == {"token-2"}
    assert await read(tokens) == "token-2"
    assert len(kis.asked) == 2


async def test_a_token_replaced_by_another_process_is_taken_over(kis: Kis, store: Path) -> None:
    here, there = kis.tokens(store), kis.tokens(store)
    old = await here.token()
    kis.now += 3600
    await there.token(refresh_of=old)
    assert await read(here, refresh_of=old) == "token-2"
    assert len(kis.asked) == 2


async def test_kis_may_give_the_same_token_again(kis: Kis, store: Path) -> None:
    kis.answers = [token("same"), token("same")]
    tokens = kis.tokens(store)
    old = await tokens.token()
    assert await read(tokens, refresh_of=old) == "same"
    assert kis.slept == [60]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadTimeout("slow"),
        httpx.Response(403, json={"error_code": "EGW00103"}),
        httpx.Response(502, text="<html>"),
        httpx.Response(200, text="[" * 100_000),
    ],
    ids=["timeout", "refused", "garbage", "nested"],
)
async def test_a_failed_attempt_counts_for_the_minute_across_restarts(
    kis: Kis, store: Path, answer: httpx.Response | Exception
) -> None:
    kis.answers = [answer]
    with pytest.raises((KisNotSentError, KisRefusedError)):
        await kis.tokens(store).token()
    kis.now += 20
    with capture_logs() as logs:
        assert await read(kis.tokens(store)) == "token-2"
    assert [at for at, _, _ in kis.asked] == [START, START + 60]
    assert [line["event"] for line in logs] == [
        "waiting before asking KIS again",
        "credential issued",
    ]


async def test_an_attempt_that_never_left_does_not_count(kis: Kis, store: Path) -> None:
    kis.answers = [httpx.ConnectError("refused")]
    with pytest.raises(KisNotSentError, match=r"cannot connect to https://kis\.example:9443"):
        await kis.tokens(store).token()
    assert await read(kis.tokens(store)) == "token-2"
    assert kis.slept == []


async def test_a_clock_set_back_does_not_wait_for_ever(kis: Kis, store: Path) -> None:
    kis.answers = [httpx.ReadTimeout("slow")]
    with pytest.raises(KisNotSentError):
        await kis.tokens(store).token()
    kis.now -= 86400
    await kis.tokens(store).token()
    assert kis.slept == [60]


async def test_once_a_minute_is_waited_out(kis: Kis, store: Path) -> None:
    kis.answers = [httpx.Response(403, json=TOO_OFTEN)]
    assert await read(kis.tokens(store)) == "token-2"
    assert kis.slept == [60]


async def test_once_a_minute_for_ever_gives_up(kis: Kis, store: Path) -> None:
    kis.answers = [httpx.Response(403, json=TOO_OFTEN) for _ in range(3)]
    with pytest.raises(KisNotSentError, match="another program") as caught:
        await kis.tokens(store).token()
    assert caught.value.msg_cd == "EGW00133"


async def test_nobody_waits_past_the_deadline(kis: Kis, store: Path) -> None:
    kis.answers = [httpx.Response(403, json=TOO_OFTEN)]
    tokens = kis.tokens(store)
    with pytest.raises(KisNotSentError, match="deadline"):
        await tokens.token(deadline=30)
    assert kis.slept == []
    with pytest.raises(KisNotSentError, match="deadline"):
        await tokens.token(deadline=0)
    assert len(kis.asked) == 1


async def test_a_lock_held_elsewhere_is_not_waited_for_past_the_deadline(
    kis: Kis, store: Path
) -> None:
    tokens = kis.tokens(store)
    old = await tokens.token()
    (lock,) = files(store, "*.lock")
    handle = os.open(lock, os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(KisNotSentError, match="deadline"):
        await tokens.token(refresh_of=old, deadline=1)
    os.close(handle)
    assert kis.now - START == pytest.approx(1, abs=0.11)


async def test_a_caller_waiting_for_another_has_its_own_deadline(kis: Kis, store: Path) -> None:
    kis.gate = asyncio.Event()
    tokens = kis.tokens(store)
    async with asyncio.TaskGroup() as group:
        patient = group.create_task(read(tokens))
        await kis.was_asked.wait()
        with pytest.raises(KisNotSentError, match="deadline"):
            await tokens.token(deadline=0.001)
        kis.gate.set()
    assert patient.result() == "token-1"


@pytest.mark.parametrize(("code", "name"), [("EGW00103", "app_key"), ("EGW00105", "app_secret")])
async def test_a_wrong_key_names_what_to_mend(kis: Kis, store: Path, code: str, name: str) -> None:
    text = "유효하지 않은 app-secret app-key"
    kis.answers = [httpx.Response(403, json={"error_code": code, "error_description": text})]
    with pytest.raises(KisRefusedError, match=f"{name} .*paper and real") as caught:
        await kis.tokens(store).token()
    assert caught.value.msg_cd == code
    assert caught.value.msg1 == "유효하지 않은 *** ***"


@pytest.mark.parametrize("code", ["EGW00201", "EGW00215"])
async def test_too_many_calls_in_a_second_are_waited_out(kis: Kis, store: Path, code: str) -> None:
    kis.answers = [httpx.Response(500, json={"rt_cd": "1", "msg_cd": code, "msg1": "초당"})]
    assert await read(kis.tokens(store)) == "token-2"
    assert kis.slept == [1]


@pytest.mark.parametrize(
    ("status", "name", "code"),
    [
        *((500, "error_code", code) for code in ("EGW00001", "EGW00002", "EGW00202", "EGW00301")),
        (503, "error_code", "SERVICE_UNAVAILABLE"),
        (500, "msg_cd", "OPSQ0003"),
    ],
)
async def test_a_fault_that_passes_is_no_refusal(
    kis: Kis, store: Path, status: int, name: str, code: str
) -> None:
    kis.answers = [httpx.Response(status, json={name: code})]
    tokens = kis.tokens(store)
    with pytest.raises(KisNotSentError, match=f"no token: {code}") as caught:
        await tokens.token()
    assert caught.value.msg_cd == code
    assert await read(tokens) == "token-2"
    assert kis.slept == [60]


async def test_another_refusal_is_told(kis: Kis, store: Path) -> None:
    kis.answers = [httpx.Response(500, json={"msg_cd": "EGW00303", "msg1": " IP  "})]
    with pytest.raises(KisRefusedError, match=r"no token: EGW00303 IP$"):
        await kis.tokens(store).token()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={}),
        httpx.Response(200, json=[]),
        token(7),
        token("a\nb"),
        token(""),
        token("x", expires_in=0),
        token("x", expires_in="never"),
        token("x", access_token_token_expired=5),
    ],
)
async def test_an_answer_without_a_token_is_no_token(
    kis: Kis, store: Path, answer: httpx.Response
) -> None:
    kis.answers = [answer]
    with pytest.raises(KisNotSentError, match="no token: ") as caught:
        await kis.tokens(store).token()
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"secret":5}', '{"secret":"a b"}', '{"expires_at":NaN}', '{"x":1}', "\x00"],
)
async def test_a_damaged_file_is_ignored_with_a_warning(kis: Kis, store: Path, damage: str) -> None:
    await kis.tokens(store).token()
    (file,) = files(store, "*.json")
    file.write_text(damage)
    with capture_logs() as logs:
        assert await read(kis.tokens(store)) == "token-2"
    assert logs[0]["log_level"] == "warning"
    assert "damaged" in logs[0]["event"]
    assert await read(kis.tokens(store)) == "token-2"


async def test_a_store_that_cannot_be_made_does_not_stop_anybody(kis: Kis, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tokens = kis.tokens(tmp_path / "file" / "kis")
    with capture_logs() as logs:
        old = await tokens.token()
        assert await read(tokens) == "token-1"
        assert await read(tokens, refresh_of=old) == "token-2"
    assert [at - START for at, _, _ in kis.asked] == [0, 60]
    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert [line["folder"] for line in warnings] == [str(tmp_path / "file" / "kis")]
    assert "memory" in warnings[0]["event"]


class Disk:
    """Where files cannot take their final name while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = True
        self._replace = Path.replace
        monkeypatch.setattr(Path, "replace", lambda path, target: self.replace(path, target))

    def replace(self, path: Path, target: Path) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self._replace(path, target)


async def test_a_full_disk_is_told_once_and_leaves_no_litter(
    kis: Kis, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    tokens = kis.tokens(store)
    with capture_logs() as logs:
        old = await tokens.token()
        assert await read(tokens, refresh_of=old) == "token-2"
    assert kis.slept == [60]
    assert [line["cause"] for line in logs if line["log_level"] == "warning"] == [
        "No space left on device"
    ]
    assert [path.suffix for path in files(store)] == [".lock"]
    disk.full = False
    kis.now += 86400
    await tokens.token()
    assert await read(kis.tokens(store)) == "token-3"


async def test_what_is_in_memory_only_is_newer_than_the_file(
    kis: Kis, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = kis.tokens(store)
    old = await tokens.token()
    kis.now += 3600
    disk = Disk(monkeypatch)
    kis.answers = [httpx.ReadTimeout("slow"), token("memory")]
    with pytest.raises(KisNotSentError):
        await tokens.token(refresh_of=old)
    new = await tokens.token(refresh_of=old)
    assert new.get_secret_value() == "memory"
    assert kis.slept == [60]
    assert await read(tokens) == "memory"
    disk.full = False
    assert await read(tokens, refresh_of=new) == "token-4"
    assert kis.slept == [60, 60]


async def test_another_process_that_can_write_is_believed_again(
    kis: Kis, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    here, there = kis.tokens(store), kis.tokens(store)
    old = await here.token()
    disk.full = False
    kis.now += 3600
    await there.token()
    assert await read(here, refresh_of=old) == "token-2"
    assert len(kis.asked) == 2


@pytest.mark.parametrize(("mode", "warned"), [(0o700, False), (0o750, True), (0o701, True)])
async def test_a_folder_that_exists_keeps_its_mode(
    kis: Kis, store: Path, mode: int, warned: bool
) -> None:
    open_to(store, mode)
    with capture_logs() as logs:
        await kis.tokens(store).token()
        await kis.approvals(store).key()
    assert mode_of(store) == mode
    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert [line["mode"] for line in warnings] == ([f"{mode:o}"] if warned else [])


async def test_nothing_secret_is_logged_or_shown(kis: Kis, store: Path) -> None:
    kis.answers = [token("token-1"), httpx.ReadTimeout("slow")]
    tokens = kis.tokens(store)
    with capture_logs() as logs:
        old = await tokens.token()
        with pytest.raises(KisNotSentError) as caught:
            await tokens.token(refresh_of=old)
    shown = f"{logs} {caught.value} {old} {vars(tokens)}"
    for secret in ("app-key", "app-secret", "token-1"):
        assert secret not in shown


async def test_an_approval_key_is_kept_for_a_day(kis: Kis, store: Path) -> None:
    approvals = kis.approvals(store)
    assert (await approvals.key()).get_secret_value() == "approval-1"
    kis.now += 86400 - 601
    assert (await kis.approvals(store).key(False)).get_secret_value() == "approval-1"
    kis.now += 2
    assert (await approvals.key()).get_secret_value() == "approval-2"
    assert kis.asked[0][1:] == (
        "/oauth2/Approval",
        {"grant_type": "client_credentials", "appkey": "app-key", "secretkey": "app-secret"},
    )


async def test_a_refused_approval_key_is_replaced_a_second_later_at_the_earliest(
    kis: Kis, store: Path
) -> None:
    approvals = kis.approvals(store)
    await approvals.key()
    assert (await approvals.key(refresh=True)).get_secret_value() == "approval-2"
    assert kis.slept == [1]


def approval(text: str) -> httpx.Response:
    return httpx.Response(200, json={"approval_key": text})


async def test_another_approval_key_within_the_minute_comes_as_soon_as_kis_may_be_asked(
    kis: Kis, store: Path
) -> None:
    keys = kis.approvals(store)
    kis.answers = [approval("first"), httpx.Response(403, json=TOO_OFTEN), approval("second")]
    assert (await keys.key()).get_secret_value() == "first"
    kis.now += 4
    assert (await keys.key(refresh=True)).get_secret_value() == "second"
    assert [at - START for at, _, _ in kis.asked] == [0, 4, 60]
    # It is asked at once, since KIS documents a second: only its refusal makes it a minute.
    kis.answers = [approval("third")]
    kis.now += 4
    assert (await keys.key(refresh=True)).get_secret_value() == "third"
    assert kis.asked[-1][0] - START == 64


async def test_an_approval_key_that_somebody_else_had_within_the_minute_is_waited_for(
    kis: Kis, store: Path
) -> None:
    refusal = httpx.Response(403, json=TOO_OFTEN)
    kis.answers = [refusal, refusal, approval("first")]
    assert (await kis.approvals(store).key()).get_secret_value() == "first"
    assert [at - START for at, _, _ in kis.asked] == [0, 20, 40]
