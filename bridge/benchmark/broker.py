"""A Mosquitto of our own for a measurement, on a free port of loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bridge.errors import BrokerError

__all__ = ["CONFIGURATION", "mosquitto"]

CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
persistence false
max_queued_messages 0
log_type none
"""
_START_S = 10.0


@contextmanager
def mosquitto() -> Iterator[str]:
    """Yield the URL of a running Mosquitto; raise :class:`BrokerError` where none is installed."""
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        raise BrokerError(
            "mosquitto is not installed: install it (Debian: apt-get install mosquitto), or give"
            " the URL of a broker on this machine with --broker"
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mosquitto.conf"
        file.write_text(CONFIGURATION.format(port=port))
        process = subprocess.Popen(  # noqa: S603
            [program, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _await_port(process, port)
            yield f"mqtt://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(5)


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise BrokerError(f"mosquitto did not start on port {port}")
