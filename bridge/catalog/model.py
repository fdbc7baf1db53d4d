"""The workbook as frozen objects; pure data, no Excel and no files here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from bridge.catalog.timetable import Timetable

__all__ = [
    "Api",
    "Catalog",
    "Channel",
    "Code",
    "Column",
    "Field",
    "FieldType",
    "Layout",
    "Master",
    "Output",
    "Param",
    "Snapshot",
    "TrId",
    "Venue",
]

FieldType = Literal["int", "decimal", "string", "code", "date", "time", "sign"]


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a record, in its place."""

    name: str
    """KIS's name, e.g. ``STCK_PRPR``."""
    path: str
    """Where the value goes in the payload, e.g. ``price`` or ``asks[0].price``."""
    type: FieldType
    korean: str = ""
    description: str = ""
    unit: str = ""
    codes: str = ""
    """Name of the list in the ``codes`` sheet that explains the values."""
    signed_by: str = ""
    """KIS name of the field of the same record whose sign code (4, 5: down) signs this one."""
    scale: int = 0
    """Implied decimals: the wire says ``12345``, the value is ``123.45`` when 2."""
    optional: bool = False
    """May be missing at the end of a narrower record."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The ordered fields of a record of one width."""

    id: str
    width: int
    """Values on the wire; more than ``len(fields)`` when the surplus is known but unnamed."""
    fields: tuple[Field, ...]
    date: str = ""
    """KIS name of the date that the field with path ``time`` belongs to; blank: day of arrival."""


@dataclass(frozen=True, slots=True)
class Venue:
    """One exchange of a channel that serves several, told apart by the prefix of its key."""

    venue: str
    """Topic level, e.g. ``nas``."""
    prefix: str
    """What KIS wants before the symbol, e.g. ``DNAS``."""
    timezone: str
    """IANA name of the exchange's zone, e.g. ``America/New_York``."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One real-time TR."""

    tr_id: str
    tr_id_paper: str
    """TR id on the paper servers; blank where paper trading has no such feed."""
    market: str
    venue: str
    """Topic level; blank when ``venues`` decides."""
    kind: str
    english: str
    korean: str
    layouts: tuple[Layout, ...]
    """By width, the layout to expect today first."""
    symbol: str = ""
    """KIS name of the field that holds the symbol."""
    key: str = ""
    """KIS name of the field that echoes the subscription key when it is not the symbol."""
    timezone: str = "Asia/Seoul"
    venues: tuple[Venue, ...] = ()
    encrypted: bool = False
    """An account notice: AES on the wire, never published as market data."""

    def layout(self, width: int) -> Layout | None:
        """Return the layout of exactly this width, or None."""
        return next((layout for layout in self.layouts if layout.width == width), None)


@dataclass(frozen=True, slots=True)
class Code:
    """One value of a code list."""

    code: str
    """As on the wire, e.g. ``00``."""
    name: str
    """English identifier used in payloads and commands, e.g. ``limit``."""
    description: str = ""
    korean: str = ""


@dataclass(frozen=True, slots=True)
class Param:
    """One request parameter of a REST call."""

    name: str
    """As on the wire, e.g. ``PDNO``."""
    path: str
    """English name, e.g. ``symbol``."""
    type: FieldType
    where: Literal["query", "body"]
    required: bool
    default: str = ""
    """What is sent when the caller says nothing."""
    codes: str = ""
    korean: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """One block of a REST answer."""

    name: str
    """``output``, ``output1`` …; blank for values beside ``rt_cd``."""
    array: bool
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class TrId:
    """The TR ids of one variant of a call."""

    variant: str
    """``buy``, ``sell`` …; blank when the call has only one."""
    real: str
    paper: str
    """Blank where paper trading does not offer the call."""


@dataclass(frozen=True, slots=True)
class Api:
    """One REST call."""

    category: str
    id: str
    method: Literal["GET", "POST"]
    path: str
    english: str
    korean: str
    tr_ids: tuple[TrId, ...]
    params: tuple[Param, ...]
    outputs: tuple[Output, ...]
    changes: bool = False
    """Places, changes or cancels something: never reachable by ``query``."""
    pages: Literal["", "tr_cont", "tr_cont+ctx_area", "key"] = ""

    @property
    def name(self) -> str:
        """``category/id``, unique in the catalog."""
        return f"{self.category}/{self.id}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a symbol master."""

    name: str
    path: str
    """English name; ``symbol``, ``name`` and ``english_name`` are what is searched."""
    type: FieldType
    width: int = 0
    """Bytes of cp949 in a fixed file; 0 where columns are separated."""
    codes: str = ""
    korean: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Master:
    """One symbol-master file."""

    id: str
    market: str
    """Market of the topics its symbols belong to; blank for lists that are none."""
    venue: str
    file: str
    """Name under the address of the masters; blank where KIS publishes none."""
    inner: str
    """Name inside the ZIP; blank when the file is not zipped."""
    format: Literal["fixed", "pipe", "tab"]
    width: int
    """Bytes of a line of a fixed file, without its end."""
    english: str
    korean: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A REST call that answers for channels whose records do not come."""

    channels: tuple[str, ...]
    """By real TR id."""
    api: str
    """``category/id``."""
    params: tuple[tuple[str, str], ...]
    """English path and value; ``{symbol}`` and ``{VENUE}`` stand for those of the topic."""
    outputs: tuple[str, ...]
    """The blocks of the answer whose values are taken; of a list its first row."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything the workbook says."""

    version: str
    digest: str
    """SHA-256 of the content, hexadecimal; the same for equal workbooks."""
    channels: Mapping[str, Channel]
    """By real TR id."""
    apis: Mapping[str, Api]
    """By ``category/id``."""
    codes: Mapping[str, tuple[Code, ...]]
    """By list name."""
    masters: Mapping[str, Master] = field(default_factory=dict)
    """By id."""
    hours: Timetable = field(default_factory=Timetable)
    """When which market trades."""
    snapshots: tuple[Snapshot, ...] = ()

    def __post_init__(self) -> None:
        for name in ("channels", "apis", "codes", "masters"):
            content = getattr(self, name)
            if isinstance(content, dict):  # others cannot be changed, or read on demand
                object.__setattr__(self, name, MappingProxyType(dict(content)))

    def channel(self, tr_id: str) -> Channel | None:
        """Return the channel with this TR id, real or paper."""
        found = self.channels.get(tr_id)
        if found is None:
            found = next((c for c in self.channels.values() if c.tr_id_paper == tr_id), None)
        return found

    def api(self, name: str) -> Api | None:
        """Return the call named ``category/id``, or by its ``id`` alone.

        Where several groups have a call of this id, the one of domestic stock is meant.
        """
        found = self.apis.get(name) or self.apis.get(f"domestic_stock/{name}")
        if found is None:
            same = [full for full in self.apis if full.endswith(f"/{name}")]
            found = self.apis[same[0]] if len(same) == 1 else None
        return found
