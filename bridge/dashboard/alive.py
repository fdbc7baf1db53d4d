"""Whether the bridge of this machine answers: ``python -m bridge.dashboard.alive [ADDRESS]``.

For a container's health check, which runs twice a minute and must cost nothing: one request to the
web page's server, which answers from the same event loop as everything else.
"""

from __future__ import annotations

import os
import ssl
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

__all__ = ["ask", "main"]

_LISTEN = "127.0.0.1:8780"
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_TIMEOUT_S = 2.0


def ask(listen: str, timeout_s: float = _TIMEOUT_S) -> int:
    """Return the HTTP status of ``/health`` at ``HOST:PORT``, with TLS or without.

    Raises :class:`OSError` when nobody answers.
    """
    parts = urlsplit(f"//{listen}")
    named = parts.hostname or "127.0.0.1"
    host = _ANYWHERE.get(named, named)
    # Nothing secret is sent, and a certificate is made out to a name from outside.
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    try:
        return _status(HTTPConnection(host, parts.port, timeout=timeout_s))
    except (ConnectionRefusedError, TimeoutError):
        raise
    except OSError:  # it took the connection and no plain request
        return _status(HTTPSConnection(host, parts.port, timeout=timeout_s, context=trusting))


def _status(connection: HTTPConnection) -> int:
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except HTTPException as error:
        raise OSError(f"no HTTP: {type(error).__name__}") from None
    finally:
        connection.close()


def main() -> int:
    """Return 0 when it answers, even if it wants a login first."""
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    listen = given or os.environ.get("KIS_BRIDGE_DASHBOARD__LISTEN", _LISTEN)
    try:
        status = ask(listen)
    except (OSError, ValueError) as error:
        print(f"{listen}: {error}", file=sys.stderr)
        return 1
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        print(f"{listen}: HTTP {status}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
