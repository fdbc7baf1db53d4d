"""Who may send orders for a scope, by the claims that are heard of it; pure.

A scope is an account's alias today. A claim is told again and again while its owner lives. What
decides is the order in which the broker passes claims on, which is the same for everybody, and
how long nothing was heard: never a clock of another machine, and never the MQTT client id.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["Claim", "Contest", "Lives"]

_S = 1_000_000
_REMEMBERED = 1_000
"""Of our own claims, so that one is told from somebody else's under our name."""
_ANSWER_S = 15.0
"""How long the answer to an order is waited for (:data:`bridge.kis.rest.ANSWER_S`)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a bridge says of a scope; times in µs since the epoch, by its own clock."""

    owner: str
    """A random name of the process; blank: nobody sends for it any more."""
    host: str
    since: int
    at: int
    fence: int
    """Grows with each owner."""


@dataclass(frozen=True, slots=True)
class Lives:
    """How long what lives, in seconds."""

    request_s: float
    """After its answer was given up, how long a request may still reach the exchange."""
    beat_s: float = 2.0
    valid_s: float = 10.0
    """How long an owner may send after it last said so."""

    @property
    def silent_s(self) -> float:
        """After so much silence nothing of an owner can reach the exchange any more.

        Its last request left at most ``valid_s`` after it was heard, and lives as long as requests
        do.
        """
        return self.valid_s + _ANSWER_S + self.request_s


class Contest:
    """What one bridge knows of one scope. Times are µs of a clock that nobody sets.

    ``me`` is the random name of this process.
    """

    def __init__(self, scope: str, me: str, lives: Lives) -> None:
        self.scope = scope
        self.rival: Claim | None = None
        """The last claim of somebody else that counts."""
        self.own: Claim | None = None
        """What this bridge claims, heard back or not."""
        self.fence = 0
        """The highest that was heard of."""
        self.challenged = False
        """Somebody else claims it although it is ours: ours is to be told again."""
        self.inherited: Claim | None = None
        """The claim of the owner before this one, if it fell silent without giving it up."""
        self.heard = False
        """Anything was ever heard of it."""
        self._me = me
        self._predecessor = ""
        self._lives = lives
        self._told: dict[int, int] = {}
        """When each of our own claims left that this connection may still pass back."""
        self._ever: deque[int] = deque(maxlen=_REMEMBERED)
        """The times in the last of our own claims."""
        self._confirmed_at: int | None = None
        self._second: Claim | None = None
        """A claim with our fence that came after ours."""
        self._silent = 0
        self._ticked_at: int | None = None

    @property
    def confirmed_at(self) -> int | None:
        """When the newest of our claims left that was heard back; None: the scope is not ours."""
        return self._confirmed_at

    def follow(self, predecessor: str) -> None:
        """Take the claim of that process for none: it is proved to be dead."""
        self._predecessor = predecessor
        if predecessor and self.rival is not None and self.rival.owner == predecessor:
            self.rival = None

    def listen(self) -> None:
        """Begin to listen, or again: what was said before now is not known."""
        self._silent, self._ticked_at = 0, None
        self._told.clear()

    def tick(self, now: int) -> None:
        """Let time pass; call once a beat while listening.

        Silence is counted only while this process runs: after it stood still, what others said
        meanwhile may not have been read yet.
        """
        most = round(2 * self._lives.beat_s * _S)
        if self._ticked_at is not None:
            self._silent += min(now - self._ticked_at, most)
        self._ticked_at = now

    def ready(self) -> bool:
        """Tell whether it may be claimed: nobody has it, or who had it is silent for too long."""
        silent = self._silent >= self._lives.silent_s * _S
        return self.own is None and (self.rival is None or silent)

    def claim(self, host: str, since: int, at: int, now: int) -> Claim:
        """Return the claim to tell now: a new one, or the next beat of ours."""
        if self.own is None:
            self.fence += 1
            self.inherited = self.rival
            self.own = Claim(self._me, host, since, at, self.fence)
        else:
            # Two beats in one microsecond would be one to whoever waits for their echoes.
            at = max(at, self.own.at + 1)
            self.own = Claim(self._me, host, since, at, self.own.fence)
        self._told[self.own.at] = now
        self._ever.append(self.own.at)
        self.challenged = False
        return self.own

    def surrender(self, at: int) -> Claim | None:
        """Return what says that nobody has it any more; None: it was not ours."""
        if self.own is None or self._confirmed_at is None:
            return None
        own, self.own, self._confirmed_at = self.own, None, None
        return Claim("", own.host, own.since, at, own.fence)

    def hear(self, claim: Claim) -> None:
        """Take what the broker passes on, in its order, our own claims among it."""
        self.heard = True
        self.fence = max(self.fence, claim.fence)
        if claim.owner == self._me:
            self._echo(claim)
        elif not claim.owner:
            if self.rival is not None and claim.fence >= self.rival.fence:
                self.rival = None
        elif claim.owner != self._predecessor:
            self._foreign(claim)

    def _echo(self, claim: Claim) -> None:
        if claim.at not in self._ever:
            # A copy of a machine that ran goes on with our name. Each of the two ends when it hears
            # the other, and each gets another name when it is started again.
            self._lose(claim)
            return
        left = self._told.get(claim.at)
        if left is None or self.own is None or claim.fence != self.own.fence:
            return  # of an earlier connection
        self.rival = None
        self._confirmed_at = max(left, self._confirmed_at or 0)
        self._told = {at: when for at, when in self._told.items() if at > claim.at}

    def _foreign(self, claim: Claim) -> None:
        if self.own is not None:
            first = self._confirmed_at is not None and claim.fence == self.own.fence
            # Whoever was second says so once, and withdraws. Two that go on have heard the claims
            # in different orders, or one of them had not heard the other at all.
            again = first and self._second is not None and self._second.at != claim.at
            if (first and not again) or claim.fence < self.own.fence:
                self.challenged = True
                self._second = claim if first else self._second
                return
        self._lose(claim)

    def _lose(self, rival: Claim) -> None:
        self.own, self._confirmed_at, self._second = None, None, None
        self._told.clear()
        self.rival, self._silent = rival, 0
