"""``kis-bridge check``: what works, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge.catalog.model import Catalog
from bridge.cli.access import access
from bridge.cli.certificates import certificate, certificate_files
from bridge.cli.configuration import ConfigFile, chosen, configured
from bridge.cli.feed import feed
from bridge.cli.findings import Finding, bounded, ok, problem
from bridge.cli.probes import app, broker, clock
from bridge.cli.running_bridge import running
from bridge.cli.safeguards import strangers_let_in
from bridge.cli.workbook import OwnSpec, catalog_of
from bridge.config.explained_errors import InvalidConfigError
from bridge.config.models import Config, SubscriptionConfig
from bridge.errors import BridgeError, ConfigError
from bridge.kis.rest import open_http
from bridge.requests.permissions import Permissions
from bridge.runtime import logs
from bridge.runtime.folders import UnsafeFolderError, make_private

__all__ = ["check", "findings"]


def check(
    config: ConfigFile = None,
    spec: OwnSpec = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test the configuration and everything that it names.

    The exit code is 0 only if all is well.
    """
    try:
        settings = configured(config)
    except InvalidConfigError as error:
        _show((problem("configuration", line) for line in error.problems), as_json)
        raise typer.Exit(2) from None
    except ConfigError as error:
        _show([problem("configuration", str(error))], as_json)
        raise typer.Exit(2) from None
    logs.configure("error", "auto", settings.secrets())
    found = [
        ok("configuration", f"{chosen(config) or 'environment'}: {settings.kis.environment}"),
        *asyncio.run(findings(settings, spec)),
    ]
    _show(found, as_json)
    if any(finding.status == "problem" for finding in found):
        raise typer.Exit(1)


async def findings(config: Config, spec: Path | None = None) -> list[Finding]:
    """Try everything at once, nothing longer than five seconds; rows in a fixed order."""
    catalog, workbook = _workbook(config, spec)
    # Before the tokens, which would tighten a folder that is open to others.
    here = [_secrets(config), _state_dir(config.kis.state_dir), access(config)]
    async with open_http() as http, asyncio.TaskGroup() as group:
        brokers = [
            group.create_task(bounded("broker", broker(config.mqtt, url)))
            for url in config.mqtt.url
        ]
        shown = [group.create_task(certificate(config.mqtt, url)) for url in config.mqtt.url]
        bridge = group.create_task(running(config.mqtt, config.mqtt.url[0]))
        time_there = group.create_task(bounded("clock", clock(http, config.kis.rest_url)))
        apps = [group.create_task(app(config, each, catalog, http)) for each in config.kis.apps]
    # Not beside the brokers' measurement, which it would disturb.
    intruders = await bounded("strangers", strangers_let_in(config))
    return [
        *here,
        *workbook,
        *(task.result() for task in brokers),
        *(row for task in shown for row in task.result()),
        *certificate_files(config.mqtt),
        intruders,
        *bridge.result(),
        time_there.result(),
        *feed(config.kis),
        *(row for task in apps for row in task.result()),
    ]


def _secrets(config: Config) -> Finding:
    # A missing or unreadable secret has already made the configuration unusable.
    kis = config.kis
    missing = [app.alias for app in kis.apps if kis.accounts and app.hts_id is None]
    if missing:
        return problem(
            "secrets",
            f"no hts_id for {', '.join(missing)}: no execution notices",
            "set kis.apps[].hts_id to the HTS login",
        )
    return ok("secrets", "all found")


def _state_dir(path: Path) -> Finding:
    try:
        make_private(path)
        with tempfile.TemporaryFile(dir=path):
            pass
        open_to = path.stat().st_mode & 0o077
    except UnsafeFolderError as error:
        return problem("state directory", f"{path}: {error.why}; refused", error.mend)
    except OSError as error:
        return problem(
            "state directory",
            f"{path}: {error.strerror}",
            "make it writable, or set kis.state_dir",
        )
    if open_to:
        return problem(
            "state directory",
            f"{path} can be entered by others; it holds tokens",
            f"chmod 700 {path}",
        )
    return ok("state directory", str(path))


def _workbook(config: Config, spec: Path | None) -> tuple[Catalog | None, list[Finding]]:
    try:
        catalog = catalog_of(spec)
    except (BridgeError, OSError) as error:
        return None, [problem("workbook", str(error), "kis-bridge spec compile")]
    rows = [
        ok(
            "workbook",
            f"{catalog.version}: {len(catalog.channels)} channels, {len(catalog.apis)} REST calls",
        )
    ]
    for index, subscription in enumerate(config.market.subscriptions):
        what = f"market.subscriptions[{index}]"
        for wanted, tr_id in _channels(catalog, subscription):
            channel = catalog.channel(tr_id) if tr_id else None
            if channel is None:
                rows.append(problem(what, f"no channel {wanted}", "kis-bridge spec show"))
            elif config.kis.paper and not channel.tr_id_paper:
                rows.append(
                    problem(
                        what,
                        f"{wanted} does not exist in paper trading",
                        "take it out, or use a real app key",
                    )
                )
    for place, wrong in Permissions.of(config).problems(catalog):
        rows.append(problem(place, wrong, "see docs/configuration.md"))
    return catalog, rows


def _channels(catalog: Catalog, wanted: SubscriptionConfig) -> list[tuple[str, str]]:
    """Return what a subscription asks for and the TR id that serves it, blank for none."""
    if wanted.channel is not None:
        return [(wanted.channel, wanted.channel)]
    found = []
    for kind in wanted.kinds or ():
        tr_id = next(
            (
                channel.tr_id
                for channel in catalog.channels.values()
                if (channel.market, channel.kind) == (wanted.market, kind)
                and wanted.venue in (channel.venue, *(venue.venue for venue in channel.venues))
            ),
            "",
        )
        found.append((f"{wanted.market}/{wanted.venue}/{kind}", tr_id))
    return found


def _show(found: Iterable[Finding], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], ensure_ascii=False))
        return
    table = Table("", "", "result", "what to do", box=None)
    for finding in found:
        mark = "[green]ok[/]" if finding.status == "ok" else "[red]problem[/]"
        table.add_row(escape(finding.what), mark, escape(finding.detail), escape(finding.mend))
    # Without a terminal rich would cut at 80 columns.
    Console(width=None if sys.stdout.isatty() else 200).print(table)
