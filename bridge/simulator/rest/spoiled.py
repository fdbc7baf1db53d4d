"""Answers that KIS has carried out the call for, and that say something else (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.simulator.faults.plan import Fault
from bridge.simulator.rest.answers import Answer

__all__ = ["order_no", "spoiled"]


def order_no(answer: Answer) -> str:
    """Return the number that an answer gives an order; blank: it is about none."""
    output = answer.outputs.get("output")
    return str(output.get("ODNO") or "") if isinstance(output, dict) else ""


def spoiled(answer: Answer, fault: Fault, earlier: Sequence[str], now: datetime) -> Answer:
    """Return what is answered instead; ``earlier`` are the numbers given to orders before."""
    match fault.kind:
        case "code":
            return Answer("1", fault.code or "OPSP0007", fault.text, http=fault.status)
        case "number" if order_no(answer) and earlier:
            output = answer.outputs["output"] | {"ODNO": earlier[-1]}
            return replace(answer, outputs=answer.outputs | {"output": output})
        case "no_header":
            return replace(answer, tr_cont="")
        case "late_list":
            since = f"{now - timedelta(seconds=fault.for_s):%Y%m%d%H%M%S}"
            outputs = {
                name: [row for row in block if _ordered(row) <= since]
                if isinstance(block, list)
                else block
                for name, block in answer.outputs.items()
            }
            return replace(answer, outputs=outputs)
    return answer


def _ordered(row: dict[str, object]) -> str:
    """Return when a row's order was placed; blank for a row that is no order's."""
    day = row.get("dmst_ord_dt") or row.get("ord_dt") or ""
    return f"{day}{row.get('thco_ord_tmd') or row.get('ord_tmd') or ''}"
