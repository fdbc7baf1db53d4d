"""What texts of KIS read as, where it gives no code that anybody has described; pure.

KIS's maintenance takes credentials back before their time and says so in texts and codes that are
in no table. A text is a hint and never a proof: what it says of an order is not believed.
"""

from __future__ import annotations

import re

__all__ = ["approval_over", "token_over"]

_LONGEST = 2_000
"""Letters that are looked at; KIS's longest texts have about a hundred."""
_ACCESS = r"token|토큰|jwt|bearer|oauth|credential|인증\s*(?:정보|키)|자격\s*증명|로그인\s*정보"
_APPROVAL = r"approval|승인\s*키|접속\s*키|인증\s*키"
_OVER = (
    r"만료|유효(?:하지|한|기간|\s*기간)?\s*(?:않|못|아니|아닌|안|초과|경과|종료)|무효|폐기|취소|철회|해지|지났|지난"
    r"|존재하지\s*않|찾을\s*수\s*없|등록되지\s*않|잘못|재\s*발급|다시\s*발급\s*(?:받|하)"
    r"|expir|invalid|revoke|inactive|terminated|not\s+(?:valid|found|active|recogni[sz]ed)"
    r"|no\s+longer|unknown|unauthori[sz]ed|rejected|re-?issue|renew"
)
_TOKEN_OVER, _APPROVAL_OVER = (
    re.compile(f"(?:{noun}).*?(?:{_OVER})|(?:{_OVER}).*?(?:{noun})", re.IGNORECASE | re.DOTALL)
    for noun in (_ACCESS, _APPROVAL)
)


def token_over(text: str) -> bool:
    """Tell whether a text reads as if KIS no longer took the access token."""
    return _TOKEN_OVER.search(text[:_LONGEST].replace("_", " ")) is not None


def approval_over(text: str) -> bool:
    """Tell whether a text reads as if KIS no longer took the approval key."""
    return _APPROVAL_OVER.search(text[:_LONGEST].replace("_", " ")) is not None
