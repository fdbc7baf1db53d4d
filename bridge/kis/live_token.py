"""The token that REST calls are made with, replaced when KIS's answers tell that it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import structlog
from pydantic import SecretStr

from bridge.catalog.model import Api
from bridge.kis.replies import Doubt, KisError, Reply
from bridge.kis.token_doubts import TokenDoubts

__all__ = ["LiveToken", "TokenSource"]

log = structlog.get_logger()


class TokenSource(Protocol):
    """:class:`bridge.kis.auth.Tokens` as far as calls need it."""

    async def token(
        self, *, refresh_of: SecretStr | None = None, deadline: float | None = None
    ) -> SecretStr: ...


class LiveToken:
    """The token of one app key; ``monotonic`` is the clock of deadlines."""

    def __init__(
        self, tokens: TokenSource, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._tokens = tokens
        self._monotonic = monotonic
        self._doubts = TokenDoubts()

    async def take(self, api: Api, deadline: float | None) -> SecretStr:
        """Return a token for a call; raises as ``token`` of :class:`~bridge.kis.auth.Tokens`."""
        token = await self._tokens.token(deadline=deadline)
        self._doubts.uses(token)
        if not self._doubts.stands(token):
            return token
        try:
            return await self._replace(token, deadline)
        except KisError:
            # KIS gives no other one. The doubt may have been wrong, and reading does no harm.
            if api.changes:
                raise
            return token

    def holds(self, token: SecretStr) -> bool:
        """Tell whether a token that was taken is still the one to call with."""
        return self._doubts.holds(token)

    async def instead(
        self, token: SecretStr, api: Api, said: Reply | KisError, deadline: float | None
    ) -> SecretStr | None:
        """Return another token that the call may be made again with; None: it stays as it is."""
        if said.doubt is Doubt.NONE:
            return None
        if not self._doubts.failed(token, api.name, said.doubt, self._monotonic()):
            return None
        if api.changes and said.doubt is not Doubt.PROVEN:
            # Odd words are no proof that an order was not placed. The next call has a new token.
            log.warning("token in doubt", api=api.name, code=said.msg_cd)
            return None
        log.info("token over, taking a new one", code=said.msg_cd, proven=said.doubt.value)
        return await self._replace(token, deadline)

    def answered(self, token: SecretStr, api: Api, reply: Reply) -> None:
        """Take note that KIS has taken the token for a call, if it has."""
        if reply.doubt is not Doubt.NONE:
            return
        self._doubts.answered(token, api.name)
        if not api.changes:
            self._doubts.spared(token)

    async def _replace(self, token: SecretStr, deadline: float | None) -> SecretStr:
        another = await self._tokens.token(refresh_of=token, deadline=deadline)
        self._doubts.renewed(token, another, self._monotonic())
        return another
