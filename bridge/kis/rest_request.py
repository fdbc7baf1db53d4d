"""One REST call as it goes over the wire, checked against the workbook; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_core import to_json

from bridge.catalog.model import Api, Catalog, TrId
from bridge.kis.params import is_page_key
from bridge.kis.replies import KisRefusedError

__all__ = ["RestRequest"]


@dataclass(frozen=True, slots=True)
class RestRequest:
    """One call; raises :class:`KisRefusedError` for one that cannot be made as it is."""

    api: Api
    tr_id: str
    query: dict[str, str] | None
    body: dict[str, str] | None
    account: str
    """Not to be shown in any text."""

    @property
    def content(self) -> bytes | None:
        """The body as it goes over the wire."""
        return None if self.body is None else to_json(self.body)

    @classmethod
    def build(
        cls, catalog: Catalog, name: str, variant: str, params: Mapping[str, str], paper: bool
    ) -> RestRequest:
        api = catalog.api(name)
        if api is None:
            raise KisRefusedError(f"no call named {name!r} in the workbook")
        query: dict[str, str] = {}
        body: dict[str, str] = {}
        unused = set(params)
        for param in api.params:
            given = param.name in params
            unused.discard(param.name)
            if param.required and not (given or param.default or is_page_key(param)):
                raise KisRefusedError(
                    f"{api.name}: the parameter {param.name} ({param.path}) is missing"
                )
            value = params.get(param.name, param.default)
            if given or param.required or value:
                (query if param.where == "query" else body)[param.name] = value
        if unused:
            known = ", ".join(sorted(param.name for param in api.params))
            raise KisRefusedError(
                f"{api.name}: no parameter named {min(unused)!r} (there are: {known})"
            )
        post = api.method == "POST"
        account = query.get("CANO") or body.get("CANO") or ""
        tr_id = _tr_id(api, variant, paper)
        return cls(api, tr_id, query or None, body if post else None, account)


def _tr_id(api: Api, variant: str, paper: bool) -> str:
    found: TrId | None = next((ids for ids in api.tr_ids if ids.variant == variant), None)
    if found is None:
        known = ", ".join(ids.variant or "(none)" for ids in api.tr_ids) or "no TR id at all"
        raise KisRefusedError(f"{api.name}: no variant {variant!r} (there is: {known})")
    tr_id = found.paper if paper else found.real
    if not tr_id:
        side = "paper trading" if paper else "real trading"
        raise KisRefusedError(f"{api.name}: KIS does not offer this call in {side}")
    return tr_id
