from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bridge.simulator.keys import KeyRefused, Keys
from bridge.simulator.settings import SimulatorSettings

NOW = datetime(2026, 9, 22, 10, 0, tzinfo=ZoneInfo("Asia/Seoul"))
SETTINGS = SimulatorSettings()
APP = SETTINGS.app_key


def after(**span: float) -> datetime:
    return NOW + timedelta(**span)


def test_the_pair_has_kis_lengths_and_follows_the_seed() -> None:
    assert (len(SETTINGS.app_key), len(SETTINGS.app_secret)) == (36, 180)
    assert SimulatorSettings(seed=2).app_key != APP == SimulatorSettings().app_key


@pytest.mark.parametrize(
    ("app_key", "app_secret", "code"),
    [
        ("", SETTINGS.app_secret, "EGW00102"),
        (APP, "", "EGW00104"),
        ("x" * 36, SETTINGS.app_secret, "EGW00103"),
        (APP, "x" * 180, "EGW00105"),
    ],
)
def test_other_pairs_are_refused(app_key: str, app_secret: str, code: str) -> None:
    with pytest.raises(KeyRefused, match=code):
        Keys(SETTINGS).check(app_key, app_secret)


def test_any_key_still_wants_the_right_form() -> None:
    keys = Keys(SimulatorSettings(any_key=True))
    keys.check("x" * 36, "y" * 180)
    with pytest.raises(KeyRefused, match="EGW00103"):
        keys.check("x" * 35, "y" * 180)
    with pytest.raises(KeyRefused, match="EGW00105"):
        keys.check("x" * 36, "y")


def test_a_token_is_asked_for_once_a_minute_and_stays_the_same_for_six_hours() -> None:
    keys = Keys(SETTINGS)
    first = keys.token(APP, NOW)
    with pytest.raises(KeyRefused, match="EGW00133"):
        keys.token(APP, after(seconds=59))
    assert keys.token(APP, after(seconds=60)) is first
    assert keys.token(APP, after(hours=5, minutes=59)) is first
    second = keys.token(APP, after(hours=6, minutes=1))
    assert second.text != first.text
    keys.authorize(f"Bearer {first.text}", APP, after(hours=23))
    keys.authorize(f"Bearer {second.text}", APP, after(hours=23))
    with pytest.raises(KeyRefused, match="EGW00123"):
        keys.authorize(f"Bearer {first.text}", APP, after(hours=24))


@pytest.mark.parametrize(
    ("authorization", "code"),
    [("", "EGW00122"), ("Basic x", "EGW00205"), ("Bearer x", "EGW00121")],
)
def test_authorization(authorization: str, code: str) -> None:
    with pytest.raises(KeyRefused, match=code):
        Keys(SETTINGS).authorize(authorization, APP, NOW)


def test_a_token_is_good_for_its_app_key_only_and_until_it_is_revoked() -> None:
    keys = Keys(SETTINGS)
    header = f"Bearer {keys.token(APP, NOW).text}"
    with pytest.raises(KeyRefused, match="EGW00121"):
        keys.authorize(header, "x" * 36, NOW)
    keys.authorize(header, APP, NOW)
    keys.revoke(header.removeprefix("Bearer "))
    with pytest.raises(KeyRefused, match="EGW00121"):
        keys.authorize(header, APP, NOW)
    keys.token(APP, after(minutes=2))
    keys.revoke_all()
    assert keys.token(APP, after(minutes=2)).issued == after(minutes=2)


def test_maintenance_chooses_its_words() -> None:
    keys = Keys(SETTINGS)
    header = f"Bearer {keys.token(APP, NOW).text}"
    keys.revoke_all("IGW1", "gone", 401)
    with pytest.raises(KeyRefused) as refused:
        keys.authorize(header, APP, NOW)
    assert (refused.value.code, refused.value.text, refused.value.status) == ("IGW1", "gone", 401)
    keys.authorize(f"Bearer {keys.token(APP, NOW).text}", APP, NOW)
    key = keys.approve(APP, "client/1", NOW)
    assert keys.forgotten("x") == ("OPSP0011", "")
    keys.forget_approvals("OPSP7", "expired")
    assert keys.forgotten(key) == ("OPSP7", "expired")


def test_approval_keys_live_a_day() -> None:
    keys = Keys(SETTINGS)
    key = keys.approve(APP, "client/1", NOW)
    assert len(key) == 36
    found = keys.approved(key, after(hours=23))
    assert found is not None
    assert (found.app_key, found.client) == (APP, "client/1")
    assert keys.approved(key, after(hours=24)) is None
    assert keys.approved("x", NOW) is None
    keys.forget_approvals()
    assert keys.approved(key, NOW) is None


@pytest.mark.parametrize(
    ("settings", "good"),
    [
        (SimulatorSettings(), 1),
        (SimulatorSettings(environment="real"), 18),
        (SimulatorSettings(rest_per_second=5), 5),
    ],
)
def test_calls_a_second(settings: SimulatorSettings, good: int) -> None:
    keys = Keys(settings)
    for call in range(good):
        keys.count_call(APP, after(milliseconds=call))
    with pytest.raises(KeyRefused, match="EGW00201"):
        keys.count_call(APP, after(milliseconds=900))
    keys.count_call("x" * 36, after(milliseconds=900))
    keys.count_call(APP, after(seconds=1))


def test_no_limit_and_less_than_one_a_second() -> None:
    free, slow = (
        Keys(SimulatorSettings(rest_per_second=0)),
        Keys(SimulatorSettings(rest_per_second=0.5)),
    )
    for _ in range(100):
        free.count_call(APP, NOW)
    slow.count_call(APP, NOW)
    with pytest.raises(KeyRefused):
        slow.count_call(APP, after(seconds=1.5))
    slow.count_call(APP, after(seconds=2))


def test_a_clock_that_is_set_back_holds_nobody_up() -> None:
    keys = Keys(SimulatorSettings(rest_per_second=1))
    keys.token(APP, after(days=2))
    keys.count_call(APP, after(days=2))
    assert keys.token(APP, NOW)
    keys.count_call(APP, NOW)
    with pytest.raises(KeyRefused, match="EGW00201"):
        keys.count_call(APP, NOW)


def test_whatever_is_asked_for_only_the_newest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.simulator.keys._MOST_KEPT", 3)
    keys = Keys(SimulatorSettings(any_key=True))
    first, *_, last = (keys.approve(f"{number:036}", "", NOW) for number in range(5))
    assert keys.approved(first, NOW) is None
    assert keys.approved(last, NOW) is not None
