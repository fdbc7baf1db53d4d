"""``kis_devlp.yaml``, the file in which KIS's own samples keep their keys (pure)."""

from __future__ import annotations

from typing import Final

import yaml

from bridge.config.kis import Environment
from bridge.errors import ConfigError

__all__ = ["MOST_BYTES", "credentials"]

MOST_BYTES: Final = 64 * 1024
_NAMES: Final = {
    "app_key": ("my_app", "paper_app"),
    "app_secret": ("my_sec", "paper_sec"),
    "hts_id": ("my_htsid", "my_htsid"),
    "account": ("my_acct_stock", "my_paper_stock"),
}
"""What it is called for the real server, and for the paper one."""
_PRODUCT: Final = "my_prod"
_USUAL_PRODUCT: Final = "01"
_OLD_ACCOUNT: Final = "my_acct"
"""How older samples call the account."""


def credentials(text: str, environment: Environment) -> dict[str, str]:
    """Return what the file has for an environment: app key, secret, HTS id, account number.

    What is missing, or is still the sample's explanation in Korean, is left out. Raises
    :class:`ConfigError` when it is no such file.
    """
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        raise ConfigError("is no YAML: take KIS's kis_devlp.yaml as it is") from None
    if not isinstance(content, dict) or not content.keys() & {"my_app", "paper_app"}:
        raise ConfigError("has neither my_app nor paper_app: is it KIS's kis_devlp.yaml?")
    found = {}
    for what, names in _NAMES.items():
        value = _text(content.get(names[environment != "real"]))
        if not value and what == "account":
            value = _text(content.get(_OLD_ACCOUNT))
        if value and value.isascii():
            found[what] = value
    account = found.get("account", "").replace("-", "")
    if len(account) == 8:
        product = _text(content.get(_PRODUCT)).zfill(2)
        found["account"] = f"{account}-{product if product.strip('0') else _USUAL_PRODUCT}"
    return found


def _text(value: object) -> str:
    """Return a value as it was written; YAML makes numbers of what has only digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""
