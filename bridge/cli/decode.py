"""``kis-bridge decode``: raw frames in, one JSON line a record out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import Annotated

import typer

from bridge.catalog.model import Catalog, Channel
from bridge.cli.workbook import OwnSpec, catalog_of
from bridge.errors import ConfigError, FrameError
from bridge.kis.decode import ChannelDecoder, Drift, Quarantined, Route, notice_values
from bridge.kis.frames import DataFrame, parse
from bridge.kis.values import Zone
from bridge.mqtt.topics import Topics
from bridge.runtime.bounded_json import JsonError, decode_lenient
from bridge.runtime.clock import SEOUL, now_us

__all__ = ["FrameReader", "decode"]

_LONGEST = 16 << 20
"""Letters of a line; KIS's frames have a few thousand."""


def decode(
    date: Annotated[
        str | None,
        typer.Option(
            help="Day in Korea on which the frames were captured, e.g. 2026-02-23. Their records"
            " do not name it.",
            show_default="today",
        ),
    ] = None,
    plain_notices: Annotated[
        bool,
        typer.Option(
            help="Also decode account notices that are not encrypted, such as those of a decrypted"
            " capture. They have no topic. The bridge itself never believes one."
        ),
    ] = False,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            help="A key that was subscribed, e.g. DNASAAPL; once for each. Tells the exchange of"
            " records that do not name it.",
        ),
    ] = None,
    base_topic: Annotated[str, typer.Option(help="First level of the topics.")] = "kis",
    spec: OwnSpec = None,
) -> None:
    """Decode raw KIS frames from standard input to JSON lines on standard output.

    Each line holds one frame, or a JSON object that has the frame as "raw". What does not decode
    goes to standard error with its line number. The exit code is 1 then.
    """
    try:
        topics = Topics(base_topic)
    except ValueError as error:
        raise ConfigError(f"--base-topic: {error}") from None
    reader = FrameReader(catalog_of(spec), topics, plain_notices=plain_notices, keys=keys or ())
    arrival = _arrival(date)
    bad = False
    for number, line in enumerate(sys.stdin.buffer, 1):
        for output in reader.read(line, arrival()):
            if output.bad:
                bad = True
            if output.error:
                print(f"line {number}: {output.error}", file=sys.stderr)
            else:
                print(output.text)
    if bad:
        raise typer.Exit(1)


class _Output:
    __slots__ = ("bad", "error", "text")

    def __init__(self, text: str = "", *, error: str = "", bad: bool = False) -> None:
        self.text = text
        self.error = error
        self.bad = bad


class FrameReader:
    """Decodes lines of captured frames with the bridge's own decoders."""

    def __init__(
        self,
        catalog: Catalog,
        topics: Topics,
        *,
        plain_notices: bool = False,
        keys: Collection[str] = (),
    ) -> None:
        self._catalog = catalog
        self._topics = topics
        self._plain_notices = plain_notices
        self._keys = frozenset(keys)
        self._decoders: dict[str, ChannelDecoder] = {}
        self._routes: dict[str, Route] = {}

    def read(self, line: bytes, received_at: int) -> Iterator[_Output]:
        """Yield a JSON line for each record, or errors; any bytes will do for a line."""
        text = line.decode(errors="replace").strip("\r\n")
        if not text.strip():
            return
        try:
            frame = parse(_raw(text))
            if not isinstance(frame, DataFrame):
                return  # an acknowledgement or PINGPONG of the capture holds no record
            channel = self._catalog.channel(frame.tr_id)
            if channel is None:
                raise FrameError(f"no channel {frame.tr_id} in the workbook")
            if channel.encrypted or frame.encrypted:
                yield from self._notice(channel, frame)
            else:
                yield from self._records(channel, frame, received_at)
        except FrameError as error:
            yield _Output(error=str(error), bad=True)

    def _records(self, channel: Channel, frame: DataFrame, received_at: int) -> Iterable[_Output]:
        decoder = self._decoders.get(channel.tr_id)
        if decoder is None:
            decoder = ChannelDecoder(channel, self._route, lambda _, key: key in self._keys)
            self._decoders[channel.tr_id] = decoder
        outputs: list[_Output] = []

        def publish(route: Route, payload: bytes) -> None:
            topic = json.dumps(route.topic, ensure_ascii=False)
            outputs.append(_Output(f'{{"topic":{topic},"payload":{payload.decode()}}}'))

        for problem in decoder.decode(frame.body, frame.count, received_at, publish):
            match problem:
                case Quarantined():
                    reason = f"{problem.channel}: {problem.reason}"
                    outputs.append(_Output(error=reason, bad=True))
                case Drift():
                    known = " or ".join(str(width) for width in problem.known)
                    reason = f"{problem.channel}: {problem.width} values a record, not {known}"
                    outputs.append(_Output(error=f"note: {reason}; {problem.treatment}"))
        return outputs

    def _notice(self, channel: Channel, frame: DataFrame) -> Iterable[_Output]:
        if frame.encrypted:
            raise FrameError(
                f"{frame.tr_id}: encrypted; it opens only with the key of its own session"
            )
        if not self._plain_notices:
            raise FrameError(
                f"{frame.tr_id}: a notice that is not encrypted is dropped, since anybody on the"
                " way could have forged it (--plain-notices decodes a decrypted capture)"
            )
        for values in notice_values(channel, frame.count, frame.body):
            payload = json.dumps({"channel": frame.tr_id, **values}, ensure_ascii=False)
            yield _Output(f'{{"topic":null,"payload":{payload}}}')

    def _route(self, channel: Channel, venue: str, symbol: str, zone: Zone) -> Route:
        topic = self._topics.market(channel.market, venue, channel.kind, symbol)
        return self._routes.setdefault(topic, Route(channel, venue, symbol, topic, zone))


def _raw(text: str) -> str:
    """Return the frame in a line of a capture."""
    if text.lstrip().startswith("{"):
        try:
            row = decode_lenient(text, _LONGEST)
        except JsonError:
            return text
        if isinstance(row, dict) and isinstance(row.get("raw"), str):
            return str(row["raw"])
    return text


def _arrival(date: str | None) -> Callable[[], int]:
    """Return what gives the time of arrival, in µs since the epoch."""
    if date is None:
        return now_us
    try:
        noon = datetime.strptime(date, "%Y-%m-%d").replace(hour=12, tzinfo=SEOUL)
    except ValueError:
        raise ConfigError(f"--date {date!r}: write the day as 2026-02-23") from None
    return lambda: int(noon.timestamp()) * 1_000_000
