"""Ratios and amounts of statements by KIS's names; amounts in hundred millions of won (pure)."""

from __future__ import annotations

from bridge.simulator.board.finance import FinancialStatement

__all__ = [
    "growth_values",
    "income_values",
    "other_values",
    "per_share_values",
    "price_values",
    "profit_values",
    "ratio_values",
    "stability_values",
    "statement_values",
]

Values = dict[str, str]
_MILLION = 1_000_000


def _percent(part: float, whole: float) -> str:
    return f"{part / whole * 100:.2f}" if whole else "0.00"


def _growth(now: int, before: int | None) -> str:
    """Return by how many percent something grew; of a loss there is no growth."""
    return f"{(now - before) / before * 100:.2f}" if before is not None and before > 0 else "0.00"


def amount(millions: int) -> str:
    """Return an amount as KIS tells it."""
    return f"{millions / 100:.2f}"


def statement_values(one: FinancialStatement) -> Values:
    """Return the balance sheet."""
    return {
        "stac_yymm": one.period,
        "cras": amount(one.current_assets),
        "fxas": amount(one.fixed_assets),
        "total_aset": amount(one.assets),
        "flow_lblt": amount(one.current_debts),
        "fix_lblt": amount(one.fixed_debts),
        "total_lblt": amount(one.debts),
        "cpfn": amount(one.capital),
        "cfp_surp": amount(one.capital_surplus),
        "prfi_surp": amount(one.earned_surplus),
        "total_cptl": amount(one.equity),
        **income_values(one),
    }


def income_values(one: FinancialStatement) -> Values:
    """Return what was earned since January."""
    return {
        "stac_yymm": one.period,
        "sale_account": amount(one.sales),
        "sale_cost": amount(one.cost),
        "sale_totl_prfi": amount(one.gross_profit),
        "depr_cost": amount(one.depreciation),
        "sell_mang": amount(one.overhead),
        "bsop_prti": amount(one.operating_profit),
        "bsop_non_ernn": amount(one.other_income),
        "bsop_non_expn": amount(one.other_expense),
        "op_prfi": amount(one.ordinary_profit),
        "spec_prfi": amount(0),
        "spec_loss": amount(0),
        "thtr_ntin": amount(one.net_income),
    }


def growth_values(one: FinancialStatement, before: FinancialStatement | None) -> Values:
    """Return growth against the same period of the year before."""
    return {
        "stac_yymm": one.period,
        "grs": _growth(one.sales, before.sales if before else None),
        "bsop_prfi_inrt": _growth(
            one.operating_profit, before.operating_profit if before else None
        ),
        "op_prfi_inrt": _growth(one.ordinary_profit, before.ordinary_profit if before else None),
        "ntin_inrt": _growth(one.net_income, before.net_income if before else None),
        "equt_inrt": _growth(one.equity, before.equity if before else None),
        "totl_aset_inrt": _growth(one.assets, before.assets if before else None),
    }


def profit_values(one: FinancialStatement) -> Values:
    return {
        "stac_yymm": one.period,
        "cptl_op_prfi": _percent(one.ordinary_profit, one.assets),
        "cptl_ntin_rate": _percent(one.net_income, one.assets),
        "self_cptl_ntin_inrt": _percent(one.net_income, one.equity),
        "roe_val": _percent(one.net_income, one.equity),
        "sale_ntin_rate": _percent(one.net_income, one.sales),
        "sale_totl_rate": _percent(one.gross_profit, one.sales),
    }


def stability_values(one: FinancialStatement) -> Values:
    return {
        "stac_yymm": one.period,
        "lblt_rate": _percent(one.debts, one.equity),
        "bram_depn": _percent(one.borrowings, one.assets),
        "crnt_rate": _percent(one.current_assets, one.current_debts),
        "quck_rate": _percent(one.current_assets - one.inventories, one.current_debts),
        "bis": _percent(one.equity, one.assets),
        "rsrv_rate": _percent(one.capital_surplus + one.earned_surplus, one.capital),
    }


def per_share_values(one: FinancialStatement, shares: int) -> Values:
    """Return what of it belongs to a share, in won."""
    return {
        "eps": f"{one.net_income * _MILLION / shares:.2f}",
        "bps": f"{one.equity * _MILLION / shares:.2f}",
        "sps": f"{one.sales * _MILLION // shares}",
    }


def other_values(one: FinancialStatement, price: int, shares: int) -> Values:
    """Return payout, value added and the firm's worth against what it earns."""
    worth = price * shares // _MILLION + one.borrowings
    return {
        "stac_yymm": one.period,
        "payout_rate": _percent(one.dividend, one.net_income),
        "eva": amount(one.eva),
        "ebitda": amount(one.ebitda),
        "ev_ebitda": f"{worth / one.ebitda:.2f}" if one.ebitda > 0 else "0.00",
    }


def price_values(one: FinancialStatement, price: int, shares: int) -> Values:
    """Return a price measured by a statement; per and pbr are of the rounded amounts a share."""
    each = per_share_values(one, shares)
    other = other_values(one, price, shares)

    def times(part: float) -> str:
        return f"{price / part:.2f}" if part else "0.00"

    return {
        **each,
        "per": times(float(each["eps"])),
        "pbr": times(float(each["bps"])),
        "psr": times(one.sales * _MILLION / shares),
        "pcr": times((one.net_income + one.depreciation) * _MILLION / shares),
        "eva": other["eva"],
        "ebitda": other["ebitda"],
        "pv_div_ebitda": other["ev_ebitda"],
        "ebitda_div_fnnc_expn": f"{one.ebitda / one.interest:.2f}" if one.interest else "0.00",
    }


def ratio_values(one: FinancialStatement, before: FinancialStatement | None) -> Values:
    """Return all ratios of a statement."""
    return {
        **growth_values(one, before),
        **profit_values(one),
        **stability_values(one),
        "cptl_tnrt": f"{one.sales / one.assets:.2f}" if one.assets else "0.00",
        "sale_bond_tnrt": f"{one.sales / one.receivables:.2f}" if one.receivables else "0.00",
    }
