"""What ``check`` says of certificates: the broker's, as it really shows it, and the files."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bridge.cli.broker import endpoint_of
from bridge.cli.findings import LIMIT_S, Finding, ok, problem
from bridge.config.models import MqttConfig
from bridge.errors import ConfigError

__all__ = ["SOON_DAYS", "certificate", "certificate_files"]

SOON_DAYS: Final = 30
_RENEW: Final = "kis-bridge tls renew, where the broker's folder is"


async def certificate(mqtt: MqttConfig, url: str) -> list[Finding]:
    """Look at the certificate that a broker shows; nothing for one without TLS.

    That it cannot be reached, or is not trusted for another reason than its end, says the row of
    the broker itself.
    """
    if not url.startswith(("mqtts:", "wss:")):
        return []
    try:
        endpoint = endpoint_of(mqtt, url)
        context = endpoint.ssl_context()
        async with asyncio.timeout(LIMIT_S):
            _, writer = await asyncio.open_connection(
                endpoint.host, endpoint.port, ssl=context, server_hostname=endpoint.host
            )
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _EXPIRED:
            return [problem(f"certificate of {endpoint}", "it has ended", _RENEW)]
        return []
    except (OSError, TimeoutError, ConfigError):
        return []
    try:
        shown = writer.get_extra_info("peercert") or {}
    finally:
        writer.transport.abort()  # the broker waits for a CONNECT, which never comes
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return [_judged(f"certificate of {endpoint}", ends, _RENEW)]


_EXPIRED: Final = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""


def certificate_files(mqtt: MqttConfig) -> Iterator[Finding]:
    """Look at the certificates that the configuration names."""
    for key, path in (("mqtt.ca_file", mqtt.ca_file), ("mqtt.cert_file", mqtt.cert_file)):
        if path is not None:
            yield _file(key, path)


def _file(key: str, path: Path) -> Finding:
    from bridge.broker.certificates import read_certificates  # slow to import, and rarely there

    try:
        found = read_certificates(path)
    except ConfigError as error:
        return problem(key, str(error))
    # A client's own comes first, before those that signed it. Of several to trust some may have
    # ended long ago.
    ends = found[0].ends if key == "mqtt.cert_file" else max(one.ends for one in found)
    return _judged(key, ends, f"put a new one into {path}")


def _judged(what: str, ends: datetime, mend: str) -> Finding:
    now = datetime.now(UTC)
    left = (ends - now).days
    if ends <= now:
        return problem(what, f"it ended on {ends:%Y-%m-%d}", mend)
    if left < SOON_DAYS:
        return problem(what, f"it ends on {ends:%Y-%m-%d}, in {left} days", mend)
    return ok(what, f"good until {ends:%Y-%m-%d}, {left} days")
