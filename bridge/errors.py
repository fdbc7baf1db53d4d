"""The exception tree.

A message names the culprit, the place and the mend, so that it can be shown to a user as it is.
"""

__all__ = [
    "BridgeError",
    "BrokerError",
    "ConfigError",
    "DecodeError",
    "FrameError",
    "JournalError",
    "NotOwnerError",
    "NotWrittenError",
    "RequestError",
    "WorkbookError",
]


class BridgeError(Exception):
    """Anything the bridge raises on purpose; its text is fit for a user."""


class ConfigError(BridgeError):
    """The configuration (file, environment, secret) cannot be used: exit code 2."""


class WorkbookError(BridgeError):
    """The workbook, or the catalog compiled from it, is wrong; names sheet and cell."""


class FrameError(BridgeError):
    """A text from KIS's WebSocket is not a frame as KIS writes them."""


class DecodeError(FrameError):
    """A frame is well formed, but a record in it does not fit its layout."""


class RequestError(BridgeError):
    """A request over MQTT cannot be served.

    ``code`` is for programs, the text for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class BrokerError(BridgeError):
    """The MQTT broker cannot be reached or refuses the bridge."""


class JournalError(BridgeError):
    """The order journal cannot be opened, read or written."""


class NotWrittenError(JournalError):
    """What was to be written is not in the order journal, and nothing of it can turn up there."""


class NotOwnerError(JournalError):
    """Another bridge sends orders for this account."""
