"""Pages of a list, as KIS cuts them (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from bridge.simulator.rest.answers import Answer, Row, done
from bridge.simulator.rest.params import Params

__all__ = ["page"]


def page(
    environment: Literal["paper", "real"],
    block: str,
    rows: Sequence[Row],
    params: Params,
    tr_cont: str,
    *,
    key: Sequence[str],
    size: int,
    width: int = 100,
    others: Mapping[str, object] | None = None,
) -> Answer:
    """Cut a page; the continuation key is the last row's own, so that new rows do no harm.

    ``key`` are the columns that tell rows apart; ``width`` is of the two ``ctx_area`` fields.
    """
    after = params.get(f"CTX_AREA_NK{width}", "").strip() if tr_cont == "N" else ""
    marks = ["^".join(str(row[name]) for name in key) for row in rows]
    start = marks.index(after) + 1 if after in marks else 0
    shown = list(rows[start : start + size])
    more = start + size < len(rows)
    asked = "^".join(
        (params.get("CANO", ""), params.get("ACNT_PRDT_CD", ""), params.get("INQR_STRT_DT", ""))
    )
    outputs: Row = {
        f"ctx_area_fk{width}": asked.ljust(width),
        f"ctx_area_nk{width}": (marks[start + size - 1] if more else "").ljust(width),
        block: shown,
    }
    mark = ("M" if after else "F") if more else ("E" if after else "D")
    return done(environment, outputs | dict(others or {}), mark)
