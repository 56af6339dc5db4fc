"""What a recording is kept in: a plain file, gzip, or the zip that Playwright saves.

Playwright keeps bodies in files of their own, in that zip or beside the HAR; each is named after
its SHA-1.
"""

import base64
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from loadgen.shared.errors import UsageError

_BROKEN = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile)
"""What unpacking raises when the packed data is broken or ends early; bz2 raises OSError."""
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_ATTACHED = re.compile(r"[0-9a-f]{40}(\.\w{1,10})?", re.ASCII)
Attached = Callable[[str], bytes | None]
"""Gives the content of the file that has a body, by its name; None when there is no such file."""


def content_of(path: Path, most: int) -> tuple[bytes, bool]:
    """Return a file's bytes, at most one more than `most`, and whether they were packed.

    Raises UsageError when what is packed can't be unpacked; OSError as open() does.
    """
    with path.open("rb") as file:
        magic = file.read(len(_ZIP))
        file.seek(0)
        try:
            if magic.startswith(_GZIP):
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return unpacked.read(most + 1), True
            if magic == _ZIP:
                with zipfile.ZipFile(file) as archive, archive.open(_har_in(path, archive)) as har:
                    return har.read(most + 1), True
        except _BROKEN as fault:
            raise UsageError(
                f"recording {path} can't be unpacked: {fault}; save the session again"
            ) from fault
        except (RuntimeError, NotImplementedError) as fault:
            raise UsageError(
                f"recording {path} can't be unpacked: {fault}; unpack it yourself, and "
                f"give the HAR file"
            ) from fault
        return file.read(most + 1), False


def _har_in(path: Path, archive: zipfile.ZipFile) -> str:
    names = [one for one in archive.namelist() if one.lower().endswith(".har")]
    if len(names) == 1:
        return names[0]
    if any(one.startswith("raw/") for one in archive.namelist()):
        raise UsageError(
            f"recording {path} is an archive of Fiddler: export the sessions from Fiddler as"
            " HTTPArchive (HAR)"
        )
    found = f"{len(names)} HAR files" if names else "no HAR file"
    raise UsageError(f"recording {path} is a zip archive with {found} in it: give one HAR file")


def attached_to(path: Path, most: int) -> Attached:
    """Return what gives the bodies that a recording keeps in files of their own.

    A recording comes from elsewhere, so only names as Playwright makes them are looked for.
    """

    def read(name: str) -> bytes | None:
        if _ATTACHED.fullmatch(name) is None:
            return None
        try:
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive, archive.open(name) as body:
                    content = body.read(most + 1)
            else:
                beside = path.parent / name
                if not beside.is_file() or beside.is_symlink():
                    return None
                with beside.open("rb") as file:
                    content = file.read(most + 1)
        except (*_BROKEN, OSError, KeyError, ValueError, RuntimeError):
            return None
        return content if len(content) <= most else None

    return read


def bring_bodies(entry: object, attached: Attached) -> list[str]:
    """Put the bodies that a request and its answer keep in files into the entry.

    Return which of the two, `request` and `response`, has one whose file isn't there.
    """
    lost = []
    for whole, name in (("request", "postData"), ("response", "content")):
        side = entry.get(whole) if isinstance(entry, dict) else None
        part = side.get(name) if isinstance(side, dict) else None
        file = part.get("_file") if isinstance(part, dict) else None
        if not isinstance(part, dict) or not isinstance(file, str) or part.get("text"):
            continue
        content = attached(file)
        if content is None:
            lost.append(whole)
            continue
        part.update(text=base64.b64encode(content).decode(), encoding="base64")
    return lost
