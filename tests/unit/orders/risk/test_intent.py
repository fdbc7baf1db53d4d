"""What a command comes to: what is checked, what KIS is sent, and what it does to the order."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.kis.markets import OrderTypes, order_types
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.progress import Leg
from bridge.orders.risk.intent import Intent, plan
from bridge.orders.risk.limits import Refusal, RiskRequest
from tests.unit.orders.commands import (
    MONDAY,
    accept,
    cancel,
    fill,
    managed,
    modify,
    place,
    submit,
)

D = Decimal
CATALOG = load()
TYPES = order_types(CATALOG, paper=False)
RATES = {"USD": D(1_400)}
APPLE = {"market": "overseas_stock", "venue": "nas", "symbol": "AAPL", "price": D(178)}
FUTURE = {"market": "domestic_derivative", "symbol": "A01603", "price": D("371.5")}
NUMBER = "12345678-01"


def order(*steps: Step, **fields: Any) -> ManagedOrder:
    return managed(place(**fields), submit(), accept("0000000007"), *steps)


def planned(
    command: ManagedOrder, about: ManagedOrder | None = None, types: OrderTypes = TYPES
) -> Intent:
    intent = plan(command, about, types, RATES)
    assert isinstance(intent, Intent), intent
    return intent


def refused(command: ManagedOrder, about: ManagedOrder | None = None, **more: Any) -> str:
    refusal = plan(command, about, more.get("types", TYPES), RATES)
    assert isinstance(refusal, Refusal), refusal
    return f"{refusal.reason}: {refusal.message}"


def sent(intent: Intent) -> tuple[str, str, Mapping[str, str]]:
    call = intent.call(CATALOG, NUMBER)
    return call.api, call.variant, call.params


class TestPlacing:
    @pytest.mark.parametrize("side", ["buy", "sell"])
    def test_it_is_checked_and_sent_as_it_was_asked(self, side: str) -> None:
        intent = planned(managed(place(side=side)))
        assert intent.request == RiskRequest("place", "005930", 10, D(71_900), side=side)
        api, variant, params = sent(intent)
        assert (api, variant) == ("domestic_stock/order_cash", side)
        assert (params["PDNO"], params["ORD_QTY"], params["ORD_UNPR"]) == ("005930", "10", "71900")
        assert (intent.leg, intent.cancels, intent.after(accept())) == (None, "", None)

    def test_what_may_trade_at_any_price_is_told_from_a_limit(self) -> None:
        market = planned(managed(place(order_type="market", price=None)))
        later = planned(managed(place(order_type="conditional_limit")))
        assert (market.request.price, market.request.becomes_market) == (None, False)
        assert (later.request.price, later.request.becomes_market) == (D(71_900), True)
        assert not planned(managed(place())).request.becomes_market

    def test_a_stop_is_held_against_the_limits_at_its_condition(self) -> None:
        oil: dict[str, Any] = {"market": "overseas_derivative", "venue": "all", "symbol": "CLF27"}
        terms: dict[str, Any] = {"price": None, "order_type": "stop", "condition_price": D("70.5")}
        request = planned(managed(place(**oil | terms))).request
        assert (request.price, request.becomes_market) == (D("70.5"), True)
        assert (request.unit, request.contract) == (None, True)
        limit = planned(managed(place(**oil | {"price": D("68.5")}))).request
        assert (limit.price, limit.becomes_market) == (D("68.5"), False)

    def test_it_is_worth_what_its_currency_or_contract_is(self) -> None:
        def unit(**fields: Any) -> Decimal | None:
            return planned(managed(place(**fields))).request.unit

        assert unit() == 1
        assert unit(**APPLE) == 1_400
        assert unit(**APPLE | {"venue": "hks", "symbol": "00700"}) is None, "no rate is known"
        assert unit(**FUTURE) == 250_000
        assert unit(**FUTURE | {"symbol": "A05603"}) == 50_000
        bond = {"market": "domestic_bond", "symbol": "KR6095572D81", "price": D(10_450)}
        assert unit(**bond) == D("0.1"), "a thousand won of face value, priced by ten thousand"

    def test_a_type_that_the_venue_has_no_more_is_refused(self) -> None:
        # It was received before the bridge was started with another environment or workbook.
        paper = order_types(CATALOG, paper=True)
        assert refused(managed(place(venue="nxt")), types=paper).startswith("invalid_payload: ")


class TestChangingWhat:
    def test_without_an_order_there_is_nothing_to_change(self) -> None:
        for command in (managed(cancel()), managed(modify())):
            assert refused(command).startswith("unknown_order")
            assert refused(command, managed(modify())).startswith("unknown_order")

    @pytest.mark.parametrize(
        "steps",
        [
            [],
            [submit()],
            [submit(), Step(Event.LOSE, MONDAY)],
            [submit(), accept(), Step(Event.FILL_REST, MONDAY, 10)],
            [submit(), accept(), Step(Event.CANCEL_REST, MONDAY, 10)],
            [submit(), accept(), Step(Event.EXPIRE, MONDAY)],
            [submit(), fill(1)],  # no number yet
        ],
    )
    def test_an_order_that_is_not_open_under_a_number_is_not_changed(
        self, steps: list[Step]
    ) -> None:
        about = managed(place(), *steps)
        for command in (managed(cancel()), managed(modify())):
            text = f"not_cancellable: the order is {about.progress.state}"
            assert refused(command, about) == text


class TestCancelling:
    def test_the_whole_rest_is_cancelled_as_all_that_is_left(self) -> None:
        about = order(fill(4))
        intent = planned(managed(cancel()), about)
        assert intent.request == RiskRequest("cancel", "005930", 6, D(71_900), side="buy")
        _, _, params = sent(intent)
        assert (params["ORGN_ODNO"], params["QTY_ALL_ORD_YN"]) == ("0000000007", "Y")
        # Not as a number: a fill on its way would make it too much.
        assert params["ORD_QTY"] == "0"
        assert (intent.cancels, intent.leg) == ("7", None)

    @pytest.mark.parametrize(("quantity", "whole"), [(1, False), (5, False), (6, True), (10, True)])
    def test_a_part_that_is_all_that_is_left_is_the_whole(
        self, quantity: int, *, whole: bool
    ) -> None:
        intent = planned(managed(cancel(quantity=quantity)), order(fill(4)))
        params = sent(intent)[2]
        assert params["QTY_ALL_ORD_YN"] == ("Y" if whole else "N")
        assert params["ORD_QTY"] == ("0" if whole else str(quantity))
        assert intent.cancels == ("7" if whole else "")
        assert intent.request.quantity == (6 if whole else quantity)

    def test_where_only_whole_orders_are_cancelled_a_part_is_refused(self) -> None:
        night = order(**FUTURE | {"venue": "krx_night"})
        assert "whole orders only" in refused(managed(cancel(quantity=3)), night)
        assert planned(managed(cancel(quantity=10)), night).request.quantity == 10

    def test_it_goes_to_the_last_number_with_its_own_type(self) -> None:
        moved = Step(
            Event.MODIFY, MONDAY, price=D(71_800), order_no="8", order_type="conditional_limit"
        )
        intent = planned(managed(cancel()), order(moved))
        params = sent(intent)[2]
        assert (params["ORGN_ODNO"], params["KRX_FWDG_ORD_ORGNO"]) == ("8", "91254")
        assert (intent.cancels, intent.request.price) == ("8", D(71_800))
        code = TYPES["domestic_stock", "krx"]["conditional_limit"].code
        assert params["ORD_DVSN"] == code

    def test_an_order_of_a_type_that_the_venue_has_no_more_is_refused(self) -> None:
        paper = order_types(CATALOG, paper=True)
        text = refused(managed(cancel()), order(venue="nxt"), types=paper)
        assert text == "invalid_payload: order_type: nxt has no 'limit'"

    def test_a_type_from_elsewhere_that_nobody_knows_is_sent_as_the_orders_own(self) -> None:
        moved = Step(Event.MODIFY, MONDAY, order_no="8", order_type="of_tomorrow")
        params = sent(planned(managed(cancel()), order(moved)))[2]
        assert params["ORD_DVSN"] == TYPES["domestic_stock", "krx"]["limit"].code


class TestCancellingWhatWasSplitElsewhere:
    """Of an order of 10 with number 7, 4 were modified elsewhere and have number 8."""

    def split(self, parts: Mapping[str, int] | None) -> ManagedOrder:
        about = order(Step(Event.MODIFY, MONDAY, 4, price=D(71_800), order_no="0000000008"))
        about.parts = parts
        return about

    def test_one_number_after_the_other(self) -> None:
        about = self.split({"7": 6, "8": 4})
        first = planned(managed(cancel()), about)
        assert (first.cancels, first.request.quantity, first.request.price) == ("8", 4, D(71_800))
        about.parts = first.left(accept("9"), about.parts)
        assert about.parts == {"7": 6}
        second = planned(managed(cancel()), about)
        assert (second.cancels, second.request.quantity) == ("7", 6)
        assert second.left(accept("10"), about.parts) == {}

    def test_the_number_that_was_asked_for(self) -> None:
        about = self.split({"7": 6, "8": 4})
        intent = planned(managed(cancel(order_no="007")), about)
        assert (intent.cancels, intent.request.quantity) == ("7", 6)
        assert sent(intent)[2]["ORGN_ODNO"] == "0000000007"
        text = "unknown_order: order_no: nothing is open as 9"
        assert refused(managed(cancel(order_no="9")), about) == text

    def test_what_kis_did_not_take_leaves_everything(self) -> None:
        parts = {"7": 6, "8": 4}
        intent = planned(managed(cancel()), self.split(parts))
        assert intent.left(Step(Event.REJECT, MONDAY), parts) == parts
        assert intent.left(Step(Event.LOSE, MONDAY), parts) == parts
        part = planned(managed(cancel(quantity=2)), self.split(parts))
        assert part.left(accept("9"), parts) == parts
        assert intent.left(accept("9"), None) is None

    def test_while_no_list_has_said_what_is_where_it_is_the_last_number(self) -> None:
        assert planned(managed(cancel()), self.split(None)).cancels == "8"

    def test_it_is_not_modified(self) -> None:
        text = refused(managed(modify()), self.split({"7": 6, "8": 4}))
        assert "cancel it, and place another (7, 8)" in text


class TestModifying:
    def test_the_whole_rest_gets_the_price(self) -> None:
        intent = planned(managed(modify(price=71_000)), order(fill(4)))
        assert intent.request == RiskRequest(
            "modify", "005930", 6, D(71_000), replaces=D(71_900), side="buy"
        )
        params = sent(intent)[2]
        assert (params["ORGN_ODNO"], params["ORD_UNPR"]) == ("0000000007", "71000")
        assert (params["QTY_ALL_ORD_YN"], params["ORD_QTY"]) == ("Y", "0")
        assert intent.leg == Leg("", "", D(71_000), "limit")

    def test_the_order_lives_on_under_the_number_of_the_answer(self) -> None:
        intent = planned(managed(modify(price=71_000)), order())
        after = intent.after(accept("0000000008", MONDAY + 5))
        assert after == Step(
            Event.MODIFY,
            MONDAY + 5,
            price=D(71_000),
            order_no="0000000008",
            org_no="91254",
            order_type="limit",
        )
        assert intent.after(Step(Event.REJECT, MONDAY)) is None
        assert intent.after(Step(Event.LOSE, MONDAY)) is None

    @pytest.mark.parametrize(("quantity", "goes"), [(5, False), (6, True), (7, True)])
    def test_less_than_the_rest_would_split_it(self, quantity: int, *, goes: bool) -> None:
        command, about = managed(modify(quantity=quantity)), order(fill(4))
        if goes:
            assert planned(command, about).request.quantity == 6
        else:
            assert "the whole rest (6)" in refused(command, about)

    def test_the_type_and_the_condition_stay_unless_they_are_named(self) -> None:
        stop = {"order_type": "stop_limit", "condition_price": D(72_000)}
        kept = planned(managed(modify(price=72_100)), order(**stop))
        assert kept.leg == Leg("", "", D(72_100), "stop_limit", D(72_000))
        moved = planned(managed(modify(price=72_100, condition_price=D(71_950))), order(**stop))
        assert moved.leg == Leg("", "", D(72_100), "stop_limit", D(71_950))
        plain = planned(managed(modify(price=72_100, order_type="limit")), order(**stop))
        assert plain.leg == Leg("", "", D(72_100), "limit")
        market = planned(managed(modify(price=None, order_type="market")), order())
        assert market.leg == Leg("", "", None, "market")
        assert (market.request.price, market.request.replaces) == (None, D(71_900))

    @pytest.mark.parametrize(
        ("command", "fields", "why"),
        [
            (modify(price=71_000, order_type="market"), {}, "price: market takes none"),
            (modify(price=None, order_type="limit"), {}, "missing key 'price'"),
            (modify(price=None, order_type="nosuch"), {}, "krx has no 'nosuch' to buy"),
            (modify(price=170, order_type="moc"), APPLE, "nas has no 'moc' to buy"),
            (modify(price=170, order_type="loc"), APPLE, "only the price can be modified"),
            (
                modify(price=170),
                APPLE | {"venue": "shs", "symbol": "600519"},
                "KIS has no modification there",
            ),
        ],
    )
    def test_what_the_market_does_not_have_is_refused(
        self, command: Any, fields: dict[str, Any], why: str
    ) -> None:
        text = refused(managed(command), order(**fields))
        assert text.startswith("invalid_payload: ")
        assert why in text

    def test_it_counts_in_the_orders_currency_and_on_its_side(self) -> None:
        short = planned(managed(modify(price=180)), order(**APPLE | {"side": "sell"}))
        assert (short.request.side, short.request.unit) == ("sell", D(1_400))
        assert (short.request.price, short.request.replaces) == (D(180), D(178))
