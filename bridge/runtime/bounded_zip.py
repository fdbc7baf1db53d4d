"""ZIP archives from outside: members and sizes are bounded before anything is unpacked."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

from bridge.errors import BridgeError

__all__ = ["ArchiveError", "unpack", "without_compression"]

_ENTRY = b"PK\x01\x02"
"""What each entry of an archive's list begins with."""
_UNPACKS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Methods that can be unpacked piece by piece."""
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


class ArchiveError(BridgeError):
    """An archive that is unsound, or larger than what is unpacked; the text says which."""


def unpack(data: bytes, *, members: int, unpacked: int) -> Mapping[str, bytes]:
    """Return the files in a ZIP archive by name.

    At most ``members`` files of ``unpacked`` bytes in all, as they really come out and not as the
    archive says. Raises :class:`ArchiveError`, never anything else.
    """
    # Counted in the bytes, since opening an archive already makes an object of each entry.
    if data.count(_ENTRY) > members:
        raise ArchiveError(f"more than {members} files in the archive")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files: dict[str, bytes] = {}
            left = unpacked
            for info in archive.infolist():
                if info.compress_type not in _UNPACKS:
                    raise ArchiveError(f"{info.filename}: an unusual kind of compression")
                # The size that the archive says may be a lie, so no more than that is asked for.
                with archive.open(info) as file:
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise ArchiveError(f"more than {unpacked} bytes when it is unpacked")
                files[info.filename] = content
            return files
    except _BROKEN as error:
        raise ArchiveError(f"no sound ZIP archive ({error or type(error).__name__})") from error


def without_compression(files: Mapping[str, bytes]) -> io.BytesIO:
    """Return an archive of files that holds no more than it says, for whoever reads archives."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    archive.seek(0)
    return archive
