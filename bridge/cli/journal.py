"""Which journal a command reads: the one that is named, the configuration's, or a demo's."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from bridge.cli import running_demo
from bridge.cli.configuration import ConfigFile, configured, is_configured
from bridge.errors import ConfigError
from bridge.runtime.redaction import known

__all__ = ["JournalOptions"]


@dataclass(frozen=True, slots=True)
class JournalOptions:
    """Where the journal is."""

    config: ConfigFile = None
    journal: Annotated[
        str,
        typer.Option(
            "--journal",
            help="Journal to read: a URL such as sqlite:///orders.db.",
            show_default="that of the configuration, else that of the running demo",
        ),
    ] = ""

    def url(self) -> str:
        """Return the journal's URL; raises :class:`ConfigError` when there is none to be found."""
        from bridge.config.journal import passwords  # slow to import

        if self.journal:
            if any(passwords(self.journal)):
                raise ConfigError(
                    "--journal: others on this machine can read a password on the command line; "
                    "name a configuration that has journal.url with -c FILE"
                )
            return self.journal
        if is_configured(self.config):
            url = configured(self.config, secrets=False).journal_url.get_secret_value()
            known().learn("journal.url", *passwords(url))
            return url
        match running_demo.find():
            case []:
                raise ConfigError(
                    "no journal: there is no bridge.toml in this folder and no demo is running; "
                    "name a configuration with -c FILE or a journal with --journal URL"
                )
            case [demo]:
                # On a terminal it would be taken for the journal of real orders.
                print("The journal of the running demo:", file=sys.stderr)
                return demo.journal
            case demos:
                choices = " or ".join(f"--journal {demo.journal}" for demo in demos)
                raise ConfigError(f"{len(demos)} demos are running: choose one with {choices}")
