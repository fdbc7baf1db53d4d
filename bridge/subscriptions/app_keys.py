"""What one app key needs: its REST client, and its session with KIS's real-time server."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from bridge.catalog.model import Catalog
from bridge.config.kis import AppConfig, KisConfig
from bridge.kis.auth import ApprovalKeys, Tokens
from bridge.kis.clock import KisClock
from bridge.kis.frames import DataFrame
from bridge.kis.link import Reads
from bridge.kis.rest import RestClient
from bridge.kis.session import Notice, Session, SessionEvent
from bridge.kis.stream import Stream
from bridge.kis.throttle import Throttle
from bridge.subscriptions.reports import notice_ids

__all__ = ["app_key"]


def app_key(
    app: AppConfig,
    kis: KisConfig,
    catalog: Catalog,
    http: httpx.AsyncClient,
    clock: KisClock,
    *,
    on_data: Callable[[DataFrame, int], None],
    on_notice: Callable[[Notice, int], None],
    on_event: Callable[[SessionEvent], None],
    reads: Reads,
) -> tuple[RestClient, Stream]:
    """Build both; the callbacks are those of :class:`~bridge.kis.stream.Stream`."""
    credentials = (http, kis.rest_url, app.app_key, app.app_secret)
    rest = RestClient(
        catalog,
        *credentials,
        Tokens(*credentials, kis.state_dir),
        Throttle(kis.rest_per_second),
        paper=kis.paper,
        clock=clock,
    )
    stream = Stream(
        f"{kis.ws_url.rstrip('/')}/tryitout",
        Session(notices=notice_ids(catalog), slots=app.slots),
        ApprovalKeys(*credentials, kis.state_dir).key,
        on_data=on_data,
        on_notice=on_notice,
        on_event=on_event,
        reads=reads,
    )
    return rest, stream
