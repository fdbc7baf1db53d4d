"""What the simulated KIS says: codes, texts and the REST envelope (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bridge.catalog.model import Api
from bridge.simulator.exchange.tickets import OrderRefused

__all__ = [
    "BRANCHES",
    "GATEWAY",
    "REFUSAL_TEXTS",
    "Answer",
    "Row",
    "blank",
    "completed",
    "done",
    "gateway",
    "padded",
    "refusal",
]

Row = dict[str, Any]
"""KIS's names and values of one row of an answer."""
Environment = Literal["paper", "real"]

BRANCHES = {"paper": "00950", "real": "91252"}
"""The branch that an account is at, by environment."""
GATEWAY = {
    "EGW00101": "유효하지 않은 요청입니다.",
    "EGW00102": "AppKey는 필수입니다.",
    "EGW00103": "유효하지 않은 AppKey입니다.",
    "EGW00104": "AppSecret은 필수입니다.",
    "EGW00105": "유효하지 않은 AppSecret입니다.",
    "EGW00116": "유효하지 않은 grant_type입니다.",
    "EGW00121": "유효하지 않은 token 입니다.",
    "EGW00122": "token을 찾을 수 없습니다.",
    "EGW00123": "기간이 만료된 token 입니다.",
    "EGW00133": "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)",
    "EGW00201": "초당 거래건수를 초과하였습니다.",
    "EGW00205": "credentials_type이 유효하지 않습니다.(Bearer)",
    "EGW00310": "유효하지 않은 TR_ID 입니다.",
    "EGW02004": "실전투자 TR 이 아닙니다.",
    "EGW02006": "모의투자 TR 이 아닙니다.",
    "OPSQ0002": "없는 서비스 코드 입니다",
}

# reason → (real code, paper code, text); KIS publishes no table, and clients read rt_cd.
_REFUSALS = {
    "account": ("APAC0081", "APAC0081", "계좌번호 입력 오류입니다"),
    "cash": ("APBK0952", "40250000", "주문가능금액이 부족합니다."),
    "credit": ("APBK1748", "40250000", "신용한도가 부족합니다."),
    "credit_kind": ("APBK0937", "40310000", "주문처리가 안되었습니다(신용유형 오류)"),
    "halted": (
        "APBK0066",
        "40310000",
        "거래정지종목(주식)은 취소주문만 가능(정정불가)합니다.",
    ),
    "holdings": ("APBK1234", "40240000", "주문가능수량이 부족합니다."),
    "kind": ("APBK1943", "40310000", "주문처리가 안되었습니다(주문구분 오류)"),
    "left": ("KIER2320", "40330000", "정정／취소 가능수량이 부족합니다"),
    "limit": ("APBK0507", "40270000", "상/하한가 오류입니다."),
    "limit_only": (
        "APBK3013",
        "40310000",
        "프리/애프터마켓에서는 지정가 유형의 주문만 가능합니다.",
    ),
    "loan_date": ("APBK0938", "40310000", "대출일자 오류입니다."),
    "no_price": ("APBK0918", "40310000", "주문처리가 안되었습니다(상대 호가 없음)"),
    "order": ("APBK1663", "40320000", "원주문번호가 존재하지 않습니다."),
    "pension": ("APBK1552", "40910000", "해당 계좌에서 매매할 수 없는 종목입니다."),
    "reservation": ("APBK2939", "40310000", "예약주문 종료일자 오류입니다."),
    "reservation_hours": ("APBK2940", "40310000", "예약주문 가능시간이 아닙니다."),
    "reservation_state": ("APBK2941", "40330000", "이미 처리되었거나 취소된 예약주문입니다."),
    "routing": ("APBK3009", "40310000", "SOR 주문이 불가능한 주문구분입니다."),
    "quantity": ("APBK0400", "40310000", "주문수량 오류입니다."),
    "symbol": ("APBK0656", "40070000", "해당종목정보가 없습니다."),
    "tick": ("APBK0506", "40310000", "주문처리가 안되었습니다(호가단위 오류)"),
}
REFUSAL_TEXTS = {reason: text for reason, (_, _, text) in _REFUSALS.items()} | {
    "session": "장운영일자가 주문일과 상이합니다"
}
"""What is told of a refusal by its reason."""
_CLOSED = {
    "before": ("40570000", "모의투자 장시작전 입니다."),
    "after": ("40580000", "모의투자 장종료 입니다."),
    "holiday": ("40100000", "모의투자 영업일이 아닙니다."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a REST answer; ``outputs`` are merged into the envelope."""

    rt_cd: str
    msg_cd: str
    msg1: str
    outputs: Row = field(default_factory=dict)
    tr_cont: str = ""
    http: int = 200

    @property
    def body(self) -> Row:
        envelope = {"rt_cd": self.rt_cd, "msg_cd": self.msg_cd, "msg1": self.msg1}
        return self.outputs | envelope


def blank(api: Api | None, block: str) -> Row:
    """Return a row with every field that the workbook names, as KIS sends what it does not know."""
    row: Row = {}
    for output in api.outputs if api else ():
        if output.name == block:
            for column in output.fields:
                row[column.name] = {"int": "0", "decimal": "0.00"}.get(column.type, "")
    return row


def completed(api: Api, answer: Answer) -> Answer:
    """Return a success with every block that the workbook names; what is not told is blank."""
    if answer.rt_cd != "0":
        return answer
    outputs = dict(answer.outputs)
    for output in api.outputs:
        told = outputs.get(output.name, [] if output.array else {})
        if not output.name:
            outputs = blank(api, "") | outputs
        elif isinstance(told, dict):
            outputs[output.name] = blank(api, output.name) | told
        else:
            outputs[output.name] = told
    return replace(answer, outputs=outputs)


def padded(text: str, width: int) -> str:
    """Pad with blanks to a width that counts Korean letters twice, as KIS does."""
    return text + " " * max(0, width - len(text.encode("euc-kr", "replace")))


def done(environment: Environment, outputs: Row, tr_cont: str = "") -> Answer:
    """Answer an account inquiry."""
    more = tr_cont in ("F", "M")
    if environment == "paper":
        code, text = "20310000", "모의투자 조회가 완료되었습니다."
    elif more:
        code, text = "KIOK0500", "조회가 계속됩니다..다음버튼을 Click 하십시오."
    else:
        code, text = "KIOK0510", "조회가 완료되었습니다"
    return Answer("0", code, padded(text, 80), outputs, tr_cont)


def refusal(environment: Environment, refused: OrderRefused) -> Answer:
    """Answer a request that was not taken."""
    if refused.reason == "session":
        if environment == "paper":
            return Answer("1", *_CLOSED[refused.session])
        return Answer("7", "APBK0919", "장운영일자가 주문일과 상이합니다")
    real, paper, text = _REFUSALS[refused.reason]
    if environment == "paper" and refused.reason != "account":
        return Answer("1", paper, f"모의투자 {text}")
    return Answer("7", real, text)


def gateway(code: str, text: str = "", status: int = 500) -> Answer:
    """Answer what the gateway turns away: HTTP 500."""
    return Answer("1", code, text or GATEWAY.get(code, ""), http=status)
