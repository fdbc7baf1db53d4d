"""``kis-bridge init``: a few questions, and the configuration that answers them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, get_args

import typer

from bridge.cli.check import check as run_check
from bridge.config.kis import Environment
from bridge.config.kis_devlp import MOST_BYTES, credentials
from bridge.config.load import load
from bridge.config.secret_sources import fit_for_a_header
from bridge.config.values import open_to_others
from bridge.errors import BridgeError, ConfigError
from bridge.mqtt.endpoint import Endpoint
from bridge.runtime.folders import UnsafeFolderError, make_private
from bridge.runtime.private_files import create_private

__all__ = ["init"]

_SECRETS: Final = "secrets"
_SYMBOLS: Final = ("005930", "000660")
_WORTH: Final = {
    "simulator": "kis-bridge simulate: no account, nothing at stake",
    "paper": "KIS's paper trading",
    "real": "your own money",
}
_TEMPLATE: Final = """\
# The bridge's configuration. Every key: docs/configuration.md
#
#     kis-bridge check     is everything there?
#     kis-bridge run
#
# Secrets are in files of their own, which nobody else can read: docs/secrets.md

[kis]
environment = "{environment}"  # simulator | paper | real
state_dir = "~/.local/state/kis-bridge-{environment}"  # tokens, learned limits, the journal

[[kis.apps]]  # one WebSocket session each
alias = "app1"
app_key = {app_key}
app_secret = {app_secret}
{hts_id}

[[kis.accounts]]
alias = "main"  # the name in topics; the number never appears there
app = "app1"
number = {account}

[mqtt]
url = "{url}"
{login}
[[market.subscriptions]]
market = "domestic_stock"
venue = "krx"
kinds = ["trade", "quote"]
symbols = [{symbols}]

[orders]
{allow_real}# Who may trade, by the name of its MQTT user. Nobody does until it is named here.
# [orders.clients.alice]
# accounts = ["main"]

[orders.limits]  # for each account; docs/orders.md
quantity = 100
notional = 1_000_000
daily_notional = 10_000_000

# Who may ask for what beyond market data: docs/access.md
# [requests.clients.ops]
# role = "admin"
"""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, where else it may come from, and what makes an answer usable."""

    name: str
    text: str
    variable: str
    check: Callable[[str], str]
    """Returns the answer as it is kept; raises ValueError with what is wrong."""
    hidden: bool = False
    optional: bool = False


def _account(text: str) -> str:
    found = re.fullmatch(r"(\d{8})-?(\d{2})", text)
    if found is None:
        raise ValueError("an account is 8 digits and 2 of its product, e.g. 12345678-01")
    return f"{found[1]}-{found[2]}"


def _login(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,64}", text):
        raise ValueError("letters, digits and signs, at most 64 of them, and no blank")
    return text


_QUESTIONS: Final = (
    _Question("app_key", "App key (KIS Developers)", "KIS_APP_KEY", fit_for_a_header),
    _Question("app_secret", "App secret", "KIS_APP_SECRET", fit_for_a_header, hidden=True),
    _Question("account", "Account, e.g. 12345678-01", "KIS_ACCOUNT", _account),
    _Question("hts_id", "HTS login, for execution notices", "KIS_HTS_ID", _login, optional=True),
)


def init(
    file: Annotated[
        Path, typer.Argument(help="The file to write.", dir_okay=False, show_default=True)
    ] = Path("bridge.toml"),
    environment: Annotated[
        str | None,
        typer.Option(help="simulator, paper or real.", show_default="asked for; else paper"),
    ] = None,
    kis_devlp: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Take the keys over from KIS's own kis_devlp.yaml.", dir_okay=False
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="The MQTT broker.", show_default="mqtt://127.0.0.1:1883")
    ] = None,
    user: Annotated[str, typer.Option(help="The bridge's MQTT user.", show_default="none")] = "",
    symbol: Annotated[
        list[str] | None,
        typer.Option(
            help="A stock of KRX; may be given several times.", show_default=" ".join(_SYMBOLS)
        ),
    ] = None,
    check: Annotated[bool, typer.Option(help="Test the result as `kis-bridge check` does.")] = True,
) -> None:
    """Ask a few questions and write a commented configuration.

    Keys come from the terminal, from --from, or from KIS_APP_KEY, KIS_APP_SECRET, KIS_ACCOUNT and
    KIS_HTS_ID. They go into files beside the configuration that nobody else can read.
    """
    folder = file.parent / _SECRETS
    for path in (file, folder):
        if path.exists() or path.is_symlink():
            raise ConfigError(f"{path} is there already: move it away, or name another file")
    chosen = _environment(environment)
    given = _given(kis_devlp, chosen)
    answers = {question.name: _answer(question, given) for question in _QUESTIONS}
    broker = _broker(url)
    user = _user(user, chosen)
    if user:
        answers["mqtt_password"] = _answer(
            _Question("mqtt_password", f"MQTT password of {user}", "KIS_MQTT_PASSWORD",
                      _password, hidden=True), {},
        )  # fmt: skip
    symbols = symbol or list(_SYMBOLS)
    for one in symbols:
        if not re.fullmatch(r"[0-9A-Z]{6,9}", one):
            raise ConfigError(f"--symbol {one[:32]!r}: 6 to 9 letters and digits, e.g. 005930")
    text = _text(chosen, answers, broker, user, symbols)
    _write(file, folder, text, {name: value for name, value in answers.items() if value})
    typer.echo(f"{file}: written; the keys are in {folder}")
    if check:
        # What is not there yet, such as a broker, is no fault of the file.
        with suppress(typer.Exit):
            run_check(file)
    name = "" if file == Path("bridge.toml") else f" -c {file}"
    typer.echo(f"Next: kis-bridge run{name}")


def _environment(given: str | None) -> Environment:
    names = get_args(Environment)
    if given is None and sys.stdin.isatty():
        for name in names:
            typer.echo(f"  {name:10} {_WORTH[name]}")
        given = typer.prompt("Environment", default="paper")
    wanted = given or "paper"
    chosen: Environment | None = next((name for name in names if name == wanted), None)
    if chosen is None:
        raise ConfigError(f"--environment {wanted[:32]!r}: one of {', '.join(names)}")
    return chosen


def _given(kis_devlp: Path | None, environment: Environment) -> Mapping[str, str]:
    if kis_devlp is None:
        return {}
    try:
        with kis_devlp.open("rb") as content:
            if open_to_others(kis_devlp):
                typer.echo(f"{kis_devlp} can be read by others: chmod 600 {kis_devlp}", err=True)
            data = content.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ConfigError(f"{kis_devlp}: {MOST_BYTES} bytes at most")
        return credentials(data.decode(), environment)
    except OSError as error:
        raise ConfigError(f"{kis_devlp}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{kis_devlp}: is no UTF-8") from None
    except ConfigError as error:
        if str(error).startswith(str(kis_devlp)):
            raise
        raise ConfigError(f"{kis_devlp} {error}") from None


def _answer(question: _Question, given: Mapping[str, str]) -> str:
    """Return an answer; asks for it only where nothing else says it."""
    ready = given.get(question.name) or os.environ.get(question.variable, "")
    if ready:
        try:
            return question.check(ready)
        except ValueError as error:
            raise ConfigError(f"{question.name}: {error}") from None
    if not sys.stdin.isatty():
        if question.optional:
            return ""
        raise ConfigError(
            f"{question.name} is missing: run this on a terminal, or set {question.variable}"
        )
    while True:
        told: str = typer.prompt(
            question.text,
            default="" if question.optional else None,
            hide_input=question.hidden,
            show_default=False,
        )
        if not told.strip() and question.optional:
            return ""
        try:
            return question.check(told.strip())
        except ValueError as error:
            typer.echo(f"  {error}")


def _password(text: str) -> str:
    if not text or "\n" in text or len(text) > 512:
        raise ValueError("one line, at most 512 letters")
    return text


def _broker(url: str | None) -> str:
    usual = "mqtt://127.0.0.1:1883"
    if url is None:
        url = typer.prompt("MQTT broker", default=usual) if sys.stdin.isatty() else usual
    if url != "embedded":
        Endpoint.parse(url)  # says itself what is wrong
    return url


def _user(given: str, environment: Environment) -> str:
    if not given and sys.stdin.isatty():
        given = typer.prompt("MQTT user of the bridge", default="", show_default=False).strip()
    if not given and environment == "real":
        raise ConfigError("with real money the broker has to know its users: name one with --user")
    return given


def _text(
    environment: Environment,
    answers: Mapping[str, str],
    url: str,
    user: str,
    symbols: list[str],
) -> str:
    sources = {name: f'{{ file = "{_SECRETS}/{name.replace("_", "-")}" }}' for name in answers}
    notices = "# hts_id = …  # without it there are no execution notices"
    login = allowed = ""
    if answers["hts_id"]:
        notices = f"hts_id = {sources['hts_id']}  # for execution notices"
    if user:
        login = f'username = "{_toml(user)}"\npassword = {sources["mqtt_password"]}\n'
    if environment == "real":
        allowed = "allow_real = false  # real orders need true, and a broker that knows its users\n"
    return _TEMPLATE.format(
        environment=environment,
        url=_toml(url),
        symbols=", ".join(f'"{one}"' for one in symbols),
        hts_id=notices,
        login=login,
        allow_real=allowed,
        **{name: sources[name] for name in ("app_key", "app_secret", "account")},
    )


def _toml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _write(file: Path, folder: Path, text: str, secrets: Mapping[str, str]) -> None:
    """Write all of it, or leave nothing behind."""
    made: list[Path] = []
    try:
        make_private(folder)
        for name, value in secrets.items():
            made.append(path := folder / name.replace("_", "-"))
            _fill(path, value + "\n")
        made.append(file)
        _fill(file, text)
        load(file, {})  # what it does not take must not be found at the start
    except (OSError, UnsafeFolderError, BridgeError) as error:
        for path in made:
            path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
        if isinstance(error, BridgeError):
            raise
        raise ConfigError(f"{file}: cannot be written: {error}") from None


def _fill(path: Path, text: str) -> None:
    with os.fdopen(create_private(path), "w", encoding="utf-8") as content:
        content.write(text)
