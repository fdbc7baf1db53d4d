"""The configuration of how good values are: ``[quality]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import Field, Strict, model_validator

from bridge.config.explained_errors import at
from bridge.config.values import Level, Section

__all__ = ["QualityConfig", "QualityKindConfig"]

_Seconds = Annotated[int, Strict(), Field(ge=0, le=86_400)]


class QualityKindConfig(Section):
    """How long one kind may be silent while its market is open."""

    least_s: _Seconds = 60
    """Seconds of silence that are never too many, however lively the topic was."""
    most_s: _Seconds = 900
    """Seconds of silence that are always too many, however quiet it was. 0: silence of this kind
    says nothing, such as that of a market status, which comes when there is one."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if 0 < self.most_s < self.least_s:
            raise at("must not be less than least_s", "most_s")
        return self


_KINDS: Final[Mapping[str, QualityKindConfig]] = {
    "quote": QualityKindConfig(least_s=5, most_s=120),
    "trade": QualityKindConfig(least_s=10, most_s=600),
    "index": QualityKindConfig(least_s=10, most_s=120),
    "nav": QualityKindConfig(least_s=30, most_s=600),
    "delayed_quote": QualityKindConfig(least_s=30, most_s=600),
    # These come in auctions only, or when something happens.
    "expected": QualityKindConfig(least_s=0, most_s=0),
    "after_hours_expected": QualityKindConfig(least_s=0, most_s=0),
    "status": QualityKindConfig(least_s=0, most_s=0),
}
_OTHERS: Final = QualityKindConfig()


class QualityConfig(Section):
    """How long a topic may be silent before its quality is `stale`.

    Each topic teaches its own limit: three times its longest pause of late, between two bounds.
    """

    kinds: dict[Level, QualityKindConfig] = Field(default_factory=dict)
    """By kind. By default `quote` 5 to 120, `trade` 10 to 600, `index` 10 to 120, `nav` and
    `delayed_quote` 30 to 600 and others 60 to 900; for `expected`, `after_hours_expected` and
    `status` silence says nothing."""
    quiet_s: _Seconds = 1800
    """The upper bound while a market is open but not busy: before the opening, in auctions, after
    the close."""

    def kind(self, name: str) -> QualityKindConfig:
        """Return the bounds of a kind, configured or by default."""
        return self.kinds.get(name) or _KINDS.get(name, _OTHERS)
