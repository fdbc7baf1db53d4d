"""Several customers of one simulated KIS: none of them sees or touches what is another's."""

from __future__ import annotations

from itertools import islice

import pytest

from bridge.simulator.clients import Clients
from bridge.simulator.settings import MOST_CLIENTS, SimulatorSettings
from tests.component.kis_client import (
    BALANCE,
    CHANGE,
    OPEN,
    PRICE,
    Client,
    simulated,
)

NO_ACCOUNT = ("2", "OPSQ2000")
SYMBOL = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": "005930"}


async def price(kis: Client) -> str:
    code: str = (await kis.call(PRICE, "FHKST01010100", SYMBOL)).json()["msg_cd"]
    return code


def test_everybody_has_keys_and_accounts_of_his_own_that_follow_the_seed() -> None:
    clients = Clients(SimulatorSettings(clients=MOST_CLIENTS))
    products = [account[-3:] for account in SimulatorSettings().accounts]
    assert len({one.app_key for one in clients}) == MOST_CLIENTS
    assert len(set(clients.accounts)) == MOST_CLIENTS * len(products)
    assert len({one.hts_id for one in clients}) == len({one.app_secret for one in clients})
    assert [*islice(clients, 3)] == [*Clients(SimulatorSettings(clients=3))]
    assert {account[-3:] for account in clients.accounts} == set(products)
    other = Clients(SimulatorSettings(clients=2, seed=2))
    assert other.all[1] not in clients.all


async def test_the_first_client_is_the_same_whoever_else_there_is() -> None:
    async with simulated() as alone, simulated(clients=3) as one:
        assert alone.customer == one.customer
        assert one.customer.accounts[0] == one.simulator.account == "12345678-01"


async def test_an_account_of_another_client_is_refused_as_one_that_nobody_has() -> None:
    async with simulated(clients=2) as first:
        second = first.as_another(2)
        assert (await second.place(1, 274_000))["rt_cd"] == "0"
        for path, tr_id in ((BALANCE, "VTTC8434R"), (CHANGE, "VTTC0013U")):
            for account in (first.account, {"CANO": "87654321", "ACNT_PRDT_CD": "01"}):
                body = (await second.call(path, tr_id, account)).json()
                assert (body["rt_cd"], body["msg_cd"]) == NO_ACCOUNT
        stolen = await second.place(1, 274_000, **first.account)
        assert (stolen["rt_cd"], stolen["msg_cd"]) == NO_ACCOUNT
        assert len(first.simulator.exchange.tickets) == 1


async def test_orders_and_their_notices_are_those_of_their_client() -> None:
    async with simulated(clients=2, environment="real") as first:
        second = first.as_another(2)
        async with first.socket() as one, second.socket() as other:
            assert (await one.ask("H0STCNI0", first.customer.hts_id)).msg_cd == "OPSP0000"
            assert (await other.ask("H0STCNI0", first.customer.hts_id)).msg_cd == "OPSP0017"
            assert (await other.ask("H0STCNI0", second.customer.hts_id)).msg_cd == "OPSP0000"
            theirs = await second.place(1, 200_000, tr_id="TTTC0012U")
            mine = await first.place(2, 200_000, tr_id="TTTC0012U")
            for socket, kis, order in ((one, first, mine), (other, second, theirs)):
                notice = await socket.notice("H0STCNI0")
                assert notice["ODER_NO"] == order["output"]["ODNO"]
                assert notice["ACNT_NO"] == "".join(kis.account.values())
                assert notice["CUST_ID"] == kis.customer.hts_id
        for kis, order in ((first, mine), (second, theirs)):
            listed = (await kis.call(OPEN, "TTTC0084R", kis.account)).json()["output"]
            assert [row["odno"] for row in listed] == [order["output"]["ODNO"]]


async def test_limits_tokens_and_sessions_are_each_clients_own() -> None:
    async with simulated(clients=2, rest_per_second=1, slots=1) as first:
        second = first.as_another(2)
        assert [await price(first), await price(first)] == ["MCA00000", "EGW00201"]
        assert await price(second) == "MCA00000"
        second.token = first.token
        assert await price(second) == "EGW00121"
        async with first.socket() as one, second.socket() as other:
            for socket in (one, other):
                assert (await socket.ask("H0STCNT0", "005930")).msg_cd == "OPSP0000"
                assert (await socket.ask("H0STCNT0", "000660")).msg_cd == "OPSP0008"
            async with first.socket() as again:
                assert (await again.ask("H0STCNT0", "005930")).msg_cd == "OPSP8996"


@pytest.mark.parametrize("secret_of", [1, 2])
async def test_the_secret_of_another_client_opens_nothing(secret_of: int) -> None:
    async with simulated(clients=2) as first:
        other, kis = first.as_another(secret_of), first.as_another(3 - secret_of)
        answer = await kis.post_keys("/oauth2/tokenP", appsecret=other.customer.app_secret)
        assert answer.json()["error_code"] == "EGW00105"
