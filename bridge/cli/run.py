"""``kis-bridge run``: the daemon."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

import structlog
import typer

from bridge.app import Bridge
from bridge.catalog.model import Catalog
from bridge.cli.broker import endpoint_of
from bridge.cli.configuration import ConfigFile, configured, forget_secrets
from bridge.cli.process import free_port, print_ready, run_until_stopped, unless_stopped
from bridge.cli.safeguards import safe_with_real_money, watch_for_strangers
from bridge.cli.workbook import OwnSpec, catalog_of
from bridge.config.models import Config
from bridge.dashboard.listen import Listen
from bridge.embedded.broker import EmbeddedBroker
from bridge.errors import ConfigError
from bridge.mqtt.endpoint import Endpoint
from bridge.runtime import logs
from bridge.runtime.descriptors import Descriptors
from bridge.runtime.folders import make_private
from bridge.runtime.loop_watch import LoopWatch
from bridge.runtime.own_process import close_to_others
from bridge.runtime.process import settle
from bridge.runtime.service_manager import ServiceManager

__all__ = ["run", "serve"]

log = structlog.get_logger()

MQTT_PORT, MQTT_WS_PORT = 1883, 9001


def run(
    config: ConfigFile = None,
    spec: OwnSpec = None,
    http_port: Annotated[
        int | None,
        typer.Option(
            help="Port of the web page, instead of the configured one. 0 takes a free one."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready.")
    ] = False,
) -> None:
    """Carry market data from KIS to MQTT and orders from MQTT to KIS, until stopped."""
    close_to_others()
    loaded = configured(config)
    forget_secrets(config)
    logs.configure(loaded.log.level, loaded.log.format, loaded.secrets())
    catalog = catalog_of(spec)
    listen = _listen(loaded, http_port)
    run_until_stopped(lambda stop: serve(loaded, catalog, stop, listen=listen, as_json=as_json))


async def serve(
    config: Config,
    catalog: Catalog,
    stop: asyncio.Event,
    *,
    listen: Listen | None = None,
    as_json: bool = False,
) -> None:
    """Run a bridge until ``stop`` is set; with its own broker when the configuration says so."""
    try:
        make_private(config.kis.state_dir)
    except OSError as error:
        raise ConfigError(f"kis.state_dir {config.kis.state_dir}: {error.strerror}") from None
    with contextlib.ExitStack() as stack:
        mqtt = config.mqtt
        endpoints = [] if mqtt.embedded else [endpoint_of(mqtt, url) for url in mqtt.url]
        ws_port = None
        if mqtt.embedded:
            broker = EmbeddedBroker(free_port(None, MQTT_PORT), free_port(None, MQTT_WS_PORT))
            await asyncio.to_thread(stack.enter_context, broker)
            endpoints, ws_port = [Endpoint.parse(broker.url)], broker.ws_port
            for port, default in ((broker.port, MQTT_PORT), (broker.ws_port, MQTT_WS_PORT)):
                if port != default:  # clients that expect it there would talk to another broker
                    log.warning("port of the embedded broker is busy", wanted=default, taken=port)

        manager, descriptors = ServiceManager(), Descriptors()
        descriptors.raise_limit()

        def beat() -> None:
            descriptors.look()
            manager.alive(bridge.status)
            if stop.is_set():
                manager.stopping()

        def ready() -> None:
            settle()
            manager.ready()
            if as_json:
                first = endpoints[0]
                where = {"host": first.host, "port": first.port, "ws_port": ws_port}
                kis = {"rest": config.kis.rest_url, "ws": config.kis.ws_url}
                print_ready(mqtt=where, dashboard=bridge.dashboard_url, kis=kis)

        if config.real_money and not await unless_stopped(
            stop, safe_with_real_money(config, catalog, endpoints)
        ):
            return
        bridge = Bridge(config, catalog, endpoints, listen=listen)
        watch_for_strangers(config, bridge.control, bridge.events.tell)
        stack.callback(manager.stopping)  # at the latest
        with LoopWatch(config.process.exit_when_frozen_s, beat):
            await bridge.run(stop, ready)


def _listen(config: Config, http_port: int | None) -> Listen:
    dashboard = config.dashboard
    if http_port is not None:
        return Listen(dashboard.host, http_port)
    default = "listen" not in dashboard.model_fields_set
    return Listen(dashboard.host, dashboard.port, or_free=default)
