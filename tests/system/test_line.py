"""The two lines as a user has them: simulator, Mosquitto, ``kis-bridge run``, mosquitto clients."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.system.programs import KIS_BRIDGE, Ear, Program, World, ask, publish

TRADE = "kis/market/domestic_stock/krx/trade/005930"
QUOTE = "kis/market/domestic_stock/krx/quote/005930"
SOON = ("-D", "publish", "message-expiry-interval", "10")
ORDER = {
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "market",
    "quantity": 3,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.running(tmp_path_factory.mktemp("world")) as world:
        yield world


def order(name: str, **changes: Any) -> dict[str, Any]:
    return {**ORDER, "client_order_id": name, **changes}


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


# market data


def test_the_ready_line(world: World) -> None:
    ready = json.loads(world.bridge.out[0])
    assert ready.pop("dashboard").startswith("http://127.0.0.1:")
    assert ready == {
        "mqtt": {"host": "127.0.0.1", "port": world.broker.port, "ws_port": None},
        "kis": {"rest": world.kis["rest"], "ws": world.kis["ws"]},
    }


def test_ticks_arrive_on_the_topics_of_the_contract(world: World) -> None:
    first = world.ear.until(TRADE)
    record = first.payload
    assert (record["symbol"], record["channel"]) == ("005930", "H0STCNT0")
    assert isinstance(record["price"], int)
    assert abs(time.time() - record["received_at"] / 1e6) < 60
    assert datetime.fromisoformat(record["time"]).utcoffset() == timedelta(hours=9)
    assert 0 < first.properties["message-expiry-interval"] <= 86_400
    after = record["seq"] + 5
    world.ear.until(TRADE, lambda later: later["seq"] >= after)
    numbers = [m.payload["seq"] for m in world.ear.heard if m.topic == TRADE]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    quote = world.ear.until(QUOTE).payload
    assert len(quote["asks"]) == len(quote["bids"]) == 10
    assert quote["asks"][0]["price"] > quote["bids"][0]["price"]
    # A number is the decimal that KIS sent: never a float's idea of it.
    assert re.search(r'"change_rate":-?\d+\.\d\d[,}]', first.text)


def test_a_late_subscriber_sees_the_last_value_at_once(world: World) -> None:
    world.ear.until(QUOTE)
    with Ear(world.broker.port, QUOTE) as late:
        assert late.until(QUOTE).retain


def test_the_bridge_tells_about_itself(world: World) -> None:
    with Ear(world.broker.port, "kis/bridge/#") as late:
        state = late.until("kis/bridge/state")
        assert (state.retain, state.payload) == (True, {"state": "online"})
        info = late.until("kis/bridge/info")
        assert info.retain
        assert set(info.payload) == {
            *("version", "environment", "started_at", "workbook", "accounts", "limits", "access"),
        }
        assert info.payload["environment"] == "simulator"
        assert info.payload["accounts"] == ["main"]
        assert set(info.payload["workbook"]) == {"version", "digest"}
        session = late.until(
            "kis/bridge/sessions/app1",
            lambda s: [x["state"] for x in s["subscriptions"]] == ["live"] * 4,
        ).payload
        assert (session["state"], session["slots_used"], session["slots_limit"]) == (
            *("connected", 5, 41),  # and the execution notices
        )
        row = session["subscriptions"][0]
        assert row == row | {
            "channel": "H0STCNT0",
            "key": "005930",
            "session": "app1",
            "state": "live",
            "holders": ["configuration"],
        }


def test_more_symbols_on_request(world: World) -> None:
    url = ("--url", world.broker.url)
    done = ask("subscribe", "domestic_stock/krx/trade", "035420", "035720", *url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 subscribed\n", "")
    world.ear.until("kis/market/domestic_stock/krx/trade/035420")
    done = ask("unsubscribe", "--channel", "H0STCNT0", "035420", "035720", "--json", *url)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"ended": 2})
    done = ask("query", "inquire_price", "symbol=005930", "--json", *url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"]["price"] > 0
    for args, says in (
        (("subscribe", "domestic_stock/krx/trad", "1"), "kind 'trad' is none of "),
        (("query", "inquire_prize"), "no call 'inquire_prize' in the workbook"),
        (("query", "inquire_price", "symbl=1"), "no params.symbl (did you mean symbol?)"),
        (("query", "order_cash"), "cannot be called by query"),
        (("query", "inquire_balance", "--account", "other"), "no account 'other' (main)"),
    ):
        done = ask(*args, *url)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        assert says in done.stderr


def test_a_snapshot_and_other_requests(world: World) -> None:
    world.ear.until(TRADE)
    before = len(world.ear.heard)
    for verb in ("snapshot", "subscriptions", "channels"):
        publish(world.broker.port, f"kis/bridge/request/{verb}", {"transaction": verb})
    said = {
        verb: world.ear.until(f"kis/bridge/response/{verb}", after=before).payload
        for verb in ("snapshot", "subscriptions", "channels")
    }
    assert all(said[verb]["transaction"] == verb for verb in said), said
    assert said["snapshot"]["data"][TRADE]["symbol"] == "005930"
    assert {row["channel"] for row in said["channels"]["data"]} >= {"H0STCNT0", "H0STASP0"}
    publish(world.broker.port, "kis/bridge/request/snapshot", "garbage", version="311")
    wrong = world.ear.until(
        "kis/bridge/response/snapshot", lambda answer: answer["status"] == "error", after=before
    )
    assert wrong.payload["code"] == "invalid_request"


# orders


def test_an_order_is_acknowledged_and_fills(world: World) -> None:
    before = world.command("place", order("a-1"), *SOON)
    ack = world.ack("a-1", before)
    assert (ack["status"], ack["reason"]) == ("accepted", None), ack
    assert re.fullmatch(r"\d{10}", ack["order_no"])
    assert ack["received_at"] <= ack["submitted_at"] <= ack["answered_at"]
    events = "kis/orders/main/alice/event/a-1"
    filled = world.ear.until(events, lambda event: event["state"] == "filled", after=before)
    assert filled.payload["filled_quantity"] == 3
    assert filled.payload["average_price"] > 0
    numbers = [m.payload["seq"] for m in world.ear.heard if m.topic == events]
    assert numbers == sorted(set(numbers))
    with Ear(world.broker.port, "kis/orders/main/alice/state/+") as late:
        state = late.until("kis/orders/main/alice/state/a-1", lambda s: s["state"] == "filled")
        assert state.retain

    # The same again is answered again, and nothing else happens.
    before = world.command("place", order("a-1"), *SOON)
    again = world.ack("a-1", before)
    assert (again["status"], again["duplicate"]) == ("accepted", True)
    assert again["order_no"] == ack["order_no"]
    before = world.command("place", order("a-1", quantity=4), *SOON)
    assert world.ack("a-1", before)["reason"] == "duplicate_conflict"
    placed = [row for row in world.placed() if row["order_no"] == ack["order_no"]]
    assert len(placed) == 1
    assert placed[0]["filled_quantity"] == 3


def test_an_order_over_mqtt_3_1_1(world: World) -> None:
    content = order("b-1", expires_at=in_seconds(10), quantity=1)
    before = world.command("place", content, version="311")
    assert world.ack("b-1", before)["status"] == "accepted"
    events = "kis/orders/main/alice/event/b-1"
    world.ear.until(events, lambda event: event["state"] == "filled", after=before)
    before = world.command("place", order("b-2"), version="311")
    refused = world.ack("b-2", before)
    assert (refused["status"], refused["reason"]) == ("refused", "invalid_payload")
    assert "expires_at" in refused["message"]


def test_the_same_order_with_a_new_deadline_is_a_duplicate(world: World) -> None:
    def again(client_order_id: str, side: str = "buy") -> dict[str, Any]:
        """Place it from the command line, which makes a deadline of its own each time."""
        done = ask(
            *("order", "place", "005930", side, "1", "--id", client_order_id),
            *("--client", "alice", "--url", world.broker.url, "--json"),
        )
        assert done.returncode in (0, 1), done.stderr
        ack: dict[str, Any] = json.loads(done.stdout)
        return ack

    first = again("m-2")
    assert first["status"] == "accepted"
    assert again("m-2") == first | {"duplicate": True}
    assert again("m-2", "sell")["reason"] == "duplicate_conflict"
    content = order("m-3", expires_at=in_seconds(10))
    world.command("place", content, version="311")
    first = world.ack("m-3")
    before = world.command("place", content | {"expires_at": in_seconds(60)}, version="311")
    assert world.ack("m-3", before) == first | {"duplicate": True}


def test_a_limit_order_is_modified_and_cancelled(world: World) -> None:
    price = world.ear.until(TRADE).payload["price"]
    low = price * 8 // 10 // 1000 * 1000
    before = world.command("place", order("c-1", order_type="limit", price=low), *SOON)
    assert world.ack("c-1", before)["status"] == "accepted"
    done = ask(
        *("order", "modify", "c-1", "--price", str(low - 1000), "--client", "alice", "--json"),
        *("--url", world.broker.url),
    )
    assert json.loads(done.stdout)["status"] == "accepted", done
    before = world.command("cancel", {"client_order_id": "c-1"}, *SOON)
    assert world.ack("c-1", before)["status"] == "accepted"
    world.ear.until(
        "kis/orders/main/alice/event/c-1", lambda event: event["state"] == "cancelled", after=before
    )


@pytest.mark.parametrize(
    ("name", "payload", "options", "reason"),
    [
        ("x-1", {"client_order_id": "x-1", "side": "buy"}, SOON, "invalid_payload"),
        ("x-2", order("x-2", pirce=1), SOON, "invalid_payload"),
        ("x-3", order("x-3", quantity=-1), SOON, "invalid_payload"),
        ("x-4", order("x-4"), (*SOON, "-r"), "retained_command"),
        ("x-5", order("x-5", expires_at="2020-01-01T09:00:00+09:00"), (), "expired"),
        ("x-6", order("x-6", order_type="limit"), SOON, "invalid_payload"),
    ],
)
def test_wrong_commands_are_refused(
    world: World, name: str, payload: Any, options: tuple[str, ...], reason: str
) -> None:
    before = world.command("place", payload, *options)
    if "-r" in options:
        publish(world.broker.port, "kis/orders/main/alice/command/place", "", "-r")
    ack = world.ack(name, before)
    assert (ack["status"], ack["reason"]) == ("refused", reason), ack


def test_garbage_and_strangers_harm_nothing(world: World) -> None:
    before = len(world.ear.heard)
    for text in ("garbage", "[1]", "{" * 1000, "\N{SNOWMAN}"):
        world.command("place", text, *SOON)
    world.command("dance", {"client_order_id": "y-1"}, *SOON)
    world.command("place", order("y-2"), *SOON, client="mallory")
    assert world.ack("y-2", before, client="mallory")["reason"] == "not_permitted"
    topic = "kis/orders/nobody/alice/command/place"
    publish(world.broker.port, topic, order("y-3"), *SOON)
    stranger = world.ear.until("kis/orders/nobody/alice/ack/y-3", after=before)
    assert stranger.payload["reason"] == "unknown_account"
    now = len(world.ear.heard)
    world.ear.until(TRADE, after=now)  # market data has not stopped


def test_its_health(world: World) -> None:
    health = world.ear.until("kis/bridge/health", lambda h: h["orders"].get("filled")).payload
    assert health["sessions"]["app1"]["state"] == "connected"
    assert health["sessions"]["app1"]["frames"] > 0
    assert 0 <= health["sessions"]["app1"]["last_frame_age_s"] < 5
    assert (health["decode_errors"], health["schema_drift"], health["halted"]) == (0, 0, False)
    assert health["publish"]["published"] > 0
    assert health["publish"]["dropped"] == 0
    assert 0 < health["lag_us"]["p50"] <= health["lag_us"]["p99"] <= health["lag_us"]["max"]
    assert set(health["rest"]) == {"calls", "throttled", "errors"}
    with Ear(world.broker.port, "kis/bridge/health") as late:
        assert late.until("kis/bridge/health").retain


def test_halt_and_resume(world: World) -> None:
    url = ("--url", world.broker.url)
    before = len(world.ear.heard)
    done = ask("halt", "--reason", "test", *url)
    assert (done.returncode, done.stdout) == (0, "[simulator] all trading is halted\n")
    halted = world.ear.until("kis/bridge/event/halted", after=before).payload
    assert halted["reason"] == "test"
    done = ask("halt", "--reduce-only", *url)
    assert done.stdout == (
        "[simulator] all trading is halted; a full halt held already and still holds\n"
    )
    before = world.command("place", order("h-1"), *SOON)
    assert world.ack("h-1", before)["reason"] == "halted"
    world.ear.until("kis/bridge/health", lambda health: health["halted"])
    checked = ask("check", "-c", str(world.config), "--json")
    [trading] = [row for row in json.loads(checked.stdout) if row["what"] == "trading"]
    assert (checked.returncode, trading["status"]) == (1, "problem")
    assert trading["detail"] == "all trading is halted"
    assert trading["mend"] == "kis-bridge resume"
    assert ask("resume", *url).returncode == 0
    before = world.command("place", order("h-2"), *SOON)
    assert world.ack("h-2", before)["status"] == "accepted"


def test_a_halt_of_nobody_is_refused_or_said_to_be_in_advance(world: World) -> None:
    url = ("--url", world.broker.url)
    done = ask("halt", "--client", "nosuch", *url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no client 'nosuch' has traded or is configured" in done.stderr
    done = ask("halt", "--account", "nosuch", *url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no account 'nosuch' (one of main)" in done.stderr
    done = ask("halt", "--client", "nosuch", "--force", *url)
    assert done.stdout == (
        "[simulator] client nosuch is halted; nosuch is not known yet: halted in advance\n"
    )
    done = ask("resume", "--client", "nosuch", *url)
    assert "the halt of client nosuch is taken back; everybody may trade" in done.stdout
    done = ask("resume", "--client", "nosuch", *url)
    assert "client nosuch was not halted" in done.stdout


# its end, and its next beginning


def test_killed_and_started_again_it_places_nothing_twice(world: World) -> None:
    before = world.command("place", order("k-1"), *SOON)
    first = world.ack("k-1", before)
    assert first["status"] == "accepted"
    before = len(world.ear.heard)
    world.bridge.stop(signal.SIGKILL)
    world.ear.until("kis/bridge/state", lambda s: s["state"] == "offline", after=before)
    world.bridge.__exit__()
    world.start_bridge()
    world.ear.until("kis/bridge/state", lambda s: s["state"] == "online", after=before)
    # What the last run said of itself is still retained, and nothing of this one's.
    checked = json.loads(ask("check", "-c", str(world.config), "--json").stdout)
    assert [row["status"] for row in checked if row["what"] == "bridge"] == ["ok"], checked
    # The client did not hear the ack, and asks again.
    before = world.command("place", order("k-1"), *SOON)
    again = world.ack("k-1", before)
    assert (again["order_no"], again["duplicate"]) == (first["order_no"], True)
    numbers = [row["order_no"] for row in world.placed()]
    assert numbers.count(first["order_no"]) == 1
    assert len(numbers) == len(set(numbers))
    placed = len(numbers)
    acks = {
        m.payload["order_no"]
        for m in world.ear.heard
        if "/ack/" in m.topic and m.payload["order_no"]
    }
    assert placed == len(acks)  # whatever was done here, nothing was placed unasked
    world.ear.until(TRADE, after=before)


def test_terminated_it_says_offline_and_leaves(world: World) -> None:
    before = len(world.ear.heard)
    began = time.monotonic()
    assert world.bridge.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    world.ear.until("kis/bridge/state", lambda s: s["state"] == "offline", after=before)
    with Ear(world.broker.port, "kis/bridge/state") as late:
        state = late.until("kis/bridge/state")
        assert (state.retain, state.payload) == (True, {"state": "offline"})
    errors = [line for line in world.bridge.err if '"level": "error"' in line]
    assert errors == []
    world.bridge.__exit__()
    world.start_bridge()
    assert world.bridge.stop(signal.SIGINT) == 130


def test_no_secret_got_out(world: World) -> None:
    """Last in this module: everything said so far, at log level debug, is looked through."""
    state = world.config.parent / "state"
    kept = [json.loads(path.read_text()) for path in state.glob("*.json")]
    assert kept, "the bridge keeps its tokens there"
    secrets = {
        *(world.kis[name] for name in ("app_key", "app_secret", "hts_id", "account")),
        world.kis["account"].partition("-")[0],
        *(text for file in kept for text in _texts(file) if len(text) > 30),
    }
    assert len(secrets) >= 7
    said = [f"{m.topic} {m.text} {m.properties}" for m in world.ear.heard]
    said += [*world.bridge.out, *world.bridge.err]
    assert len(said) > 100
    for secret in secrets:
        assert not [line for line in said if secret in line], "a secret got out"
    for path in state.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert state.stat().st_mode & 0o077 == 0


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)


def test_the_log_is_json_lines(world: World) -> None:
    for line in world.bridge.err:
        assert isinstance(json.loads(line), dict)


def test_the_demo_needs_nothing() -> None:
    ports = [f"--{name}-port" for name in ("mqtt", "mqtt-ws", "http", "kis-rest", "kis-ws")]
    args = [word for port in ports for word in (port, "0")]
    with Program(*KIS_BRIDGE, "demo", "--json", "--for", "4", *args) as demo:
        ready = json.loads(demo.line())
        assert set(ready["kis"]) == {
            *("rest", "ws", "app_key", "app_secret", "account", "hts_id"),
        }
        port = ready["mqtt"]["port"]
        with Ear(port) as ear:
            ear.until(TRADE)
            topic = "kis/orders/main/anybody/command/place"
            publish(port, topic, order("d-1"), *SOON)
            assert ear.until("kis/orders/main/anybody/ack/d-1").payload["status"] == "accepted"
            ear.until("kis/orders/main/anybody/event/d-1", lambda e: e["state"] == "filled")
            assert demo.ended() == 0
        assert demo.err == []
