"""What a bond is: its issuer, coupons, end and rating, in KIS's words (pure)."""

from __future__ import annotations

from datetime import date, datetime

from bridge.catalog.model import Catalog
from bridge.simulator.bonds.issues import FACE, BondIssue, issue, plausible
from bridge.simulator.rest.account_pages import AccountPages
from bridge.simulator.rest.answers import Answer, Row, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import Params
from bridge.simulator.settings import SimulatorSettings

__all__ = ["BondTermHandlers"]

_BOND = "302"
_MARK = "SIMULATED"
"""Where KIS has a free text."""


class BondTermHandlers:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._seed = settings.seed
        self._pages = AccountPages(catalog, settings.environment)

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_bond/issue_info": self._issue_info,
            "domestic_bond/search_bond_info": self._search,
        }

    def _issue_info(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        one = self._found(params)
        if one is None:
            return Answer("7", "KIER2620", padded("조회할 자료가 없습니다", 80))
        row = _shared(one, now.date()) | {
            "prdt_name": one.name,
            "prdt_eng_name": one.english,
            "prdt_abrv_name": one.name,
            "prdt_eng_abrv_name": one.english,
            "ivst_heed_prdt_yn": "N",
            "exts_yn": "N",
            "papr": FACE,
            "issu_amt": one.amount,
            "lstg_rmnd": one.amount,
            "int_dfrm_mcnt": one.months,
            "prdt_pclc_text": _MARK,
            "pclr_cndt_text": _MARK,
            "issu_istt_name": one.issuer,
            "srfc_inrt": f"{one.coupon:.3f}",
            "expd_rdpt_rt": "100.000",
            "sbst_pric": int(FACE * 8 / 10),
            "expd_dt": f"{one.matures:%Y%m%d}",
            **{f"{house}_crdt_grad_text": one.rating for house in ("kis", "kbp", "nice", "fnp")},
            "loan_psbl_yn": "N",
            "prcm_idx_bond_yn": "N",
            "hbbd_yn": "N",
            "crfd_item_yn": "N",
            "bond_nmpr_unit_pric": "1.00",
        }
        return self._pages.one("domestic_bond/issue_info", output=row)

    def _search(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        one = self._found(params)
        if one is None:
            return Answer("7", "KIER2620", padded("조회할 자료가 없습니다", 80))
        row = _shared(one, now.date()) | {
            "ksd_bond_item_name": one.name,
            "ksd_bond_item_eng_name": one.english,
            "iso_crcy_cd": "KRW",
            "ksd_rcvg_bond_srfc_inrt": f"{one.coupon:.3f}",
            "bond_expd_rdpt_rt": "100.000",
            "expd_rdpt_rt": "100.000",
            "int_caltm_mcnt": one.months,
            "lstg_abol_dt": f"{one.matures:%Y%m%d}",
            "laps_indf_yn": "N",
            "ksd_prcm_lnkg_gvbd_yn": "N",
            "dshn_occr_yn": "N",
            "expd_exts_yn": "N",
            "pclr_ptcr_text": _MARK,
            "ksd_tot_issu_amt": one.amount,
            "csbd_yn": "N",
            "qib_yn": "N",
        }
        return self._pages.one("domestic_bond/search_bond_info", output=row)

    def _found(self, params: Params) -> BondIssue | None:
        symbol = params.get("PDNO", "")
        if params.get("PRDT_TYPE_CD", _BOND) != _BOND or not plausible(symbol):
            return None
        return issue(symbol, self._seed)


def _shared(one: BondIssue, today: date) -> Row:
    last, following = one.period(today)
    return {
        "pdno": one.symbol,
        "prdt_type_cd": _BOND,
        "bond_clsf_cd": one.kind,
        "bond_clsf_kor_name": one.kind_name,
        "issu_dt": f"{one.issued:%Y%m%d}",
        "lstg_dt": f"{one.issued:%Y%m%d}",
        "rvnu_dt": f"{one.issued:%Y%m%d}",
        "rdpt_dt": f"{one.matures:%Y%m%d}",
        "frst_int_dfrm_dt": f"{one.payments()[0]:%Y%m%d}",
        "rgbf_int_dfrm_dt": f"{last:%Y%m%d}",
        "nxtm_int_dfrm_dt": f"{following:%Y%m%d}",
        "sprx_psbl_yn": "N",
        "dpsi_psbl_yn": "Y",
        "elec_scty_yn": "Y",
        # Interest that a holder of 10,000 won has earned since the last coupon, and the face value.
        "pnia_int_calc_unpr": f"{FACE + one.accrued(today):.2f}",
    }
