"""AES-256-CBC with PKCS7, base64 text: how KIS closes its account notices.

Key (32 characters) and iv (16) come with the acknowledgement of the notice's subscription, as
text; they are the UTF-8 bytes themselves, not hexadecimal.
"""

from __future__ import annotations

import base64
import binascii

from Crypto.Cipher import AES
from Crypto.Util.Padding import pad, unpad

from bridge.errors import FrameError

__all__ = ["decrypt", "encrypt"]


def encrypt(text: str, key: str, iv: str) -> str:
    """Return the base64 text that KIS would send for ``text``."""
    cipher = AES.new(key.encode(), AES.MODE_CBC, iv.encode())
    return base64.b64encode(cipher.encrypt(pad(text.encode(), AES.block_size))).decode()


def decrypt(body: str, key: str, iv: str) -> str:
    """Return the plain text of a notice body; raise :class:`FrameError` when it does not open."""
    try:
        closed = base64.b64decode(body, validate=True)
        cipher = AES.new(key.encode(), AES.MODE_CBC, iv.encode())
        return unpad(cipher.decrypt(closed), AES.block_size).decode()
    except (ValueError, binascii.Error) as error:
        raise FrameError("the notice does not open with the key of its subscription") from error
