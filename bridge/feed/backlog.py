"""What waits for the broker: state-like topics keep their latest value, records keep their order.

Pure. A topic is one or the other, so that no topic is ever reordered. Nothing is lost silently:
what a newer value replaced is counted as conflated, what did not fit as dropped, by topic.
"""

from __future__ import annotations

from collections import Counter, deque

from bridge.kis.decode import Route

__all__ = ["Backlog"]


class Backlog:
    """A bounded buffer of payloads; ``budget`` is in bytes of payload."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.size = 0
        """Bytes that wait."""
        self.conflated = 0
        self.dropped = 0
        self._latest: dict[Route, bytes] = {}
        self._again: set[Route] = set()
        """Topics whose latest value was sent before, so that nothing is lost with it."""
        self.repeated: set[Route] = set()
        """Those among them that :meth:`take` gave last."""
        self._records: deque[tuple[Route, bytes]] = deque()
        self._losses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._latest) + len(self._records)

    def add(self, route: Route, payload: bytes, *, conflate: bool) -> None:
        """Keep a payload; make room by dropping the oldest records."""
        if conflate:
            replaced = self._latest.get(route)
            if replaced is not None:
                self.conflated += route not in self._again
                self.size -= len(replaced)
            self._again.discard(route)
            self._latest[route] = payload
        else:
            self._records.append((route, payload))
        self.size += len(payload)
        self._trim()

    def put_back(self, route: Route, payload: bytes, *, conflate: bool) -> None:
        """Return what :meth:`take` gave and was not sent; of several the last one first."""
        if not conflate:
            self._records.appendleft((route, payload))
        elif route in self._latest:
            self.conflated += 1
            return
        else:
            self._latest[route] = payload
        self.size += len(payload)
        self._trim()

    def refresh(self, route: Route, payload: bytes) -> None:
        """Send this as well if nothing of its topic waits; right after :meth:`park_all` only."""
        if route not in self._latest:
            self._latest[route] = payload
            self._again.add(route)
            self.size += len(payload)

    def park(self, route: Route, payload: bytes, *, conflate: bool) -> None:
        """Keep only the last value of the topic: the broker is away, and a late record is noise.

        Replaced values of topics that are not conflated count as dropped.
        """
        if not conflate and route in self._latest:
            if route not in self._again:
                self.lose(route)
            self.size -= len(self._latest.pop(route))
        self.add(route, payload, conflate=True)

    def park_all(self) -> None:
        """Treat what waits as :meth:`park` would have."""
        records, self._records = self._records, deque()
        self.size -= sum(len(payload) for _, payload in records)
        for route, payload in records:
            self.park(route, payload, conflate=False)

    def take(self, limit: int) -> list[tuple[Route, bytes]]:
        """Return the next payloads, up to about ``limit`` bytes."""
        taken: list[tuple[Route, bytes]] = []
        self.repeated = set()
        size = 0
        # State first: there is one value a topic, and it says at once how things stand.
        while size < limit and self._latest:
            route = next(iter(self._latest))
            taken.append((route, self._latest.pop(route)))
            if route in self._again:
                self._again.discard(route)
                self.repeated.add(route)
            size += len(taken[-1][1])
        while size < limit and self._records:
            taken.append(self._records.popleft())
            size += len(taken[-1][1])
        self.size -= size
        return taken

    def oldest(self) -> bytes | None:
        """Return the payload that waits for longest, about; None when nothing waits."""
        if self._records:
            return self._records[0][1]
        return next(
            (last for route, last in self._latest.items() if route not in self._again), None
        )

    def losses(self) -> dict[str, int]:
        """Return what was dropped since the last call, by topic."""
        losses, self._losses = dict(self._losses), Counter()
        return losses

    def _trim(self) -> None:
        # Only records can pile up. Latest values are one a topic, and without it a subscriber would
        # go on believing the value before.
        while self.size > self.budget and self._records:
            oldest, lost = self._records.popleft()
            self.size -= len(lost)
            self.lose(oldest)

    def lose(self, route: Route) -> None:
        """Count a record that is not sent."""
        self.dropped += 1
        self._losses[route.topic] += 1
