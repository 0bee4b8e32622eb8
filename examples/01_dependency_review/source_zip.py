"""Packing a distribution's Python source into an event, largest files left out first."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MAX_ZIP_BYTES = 6 * 1024 * 1024
# A fixed time stamp: the same source makes the same event.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class SourceZip:
    """The archive as base64, with how many files there were and how many went in."""

    b64: str
    total: int
    included: int


def zip_sources(
    places: Iterable[tuple[str, Path]], *, max_zip_bytes: int = MAX_ZIP_BYTES
) -> SourceZip:
    """Zip the files from small to large until the archive would outgrow `max_zip_bytes`."""
    contents = []
    total = 0
    for path, place in places:
        total += 1
        try:
            contents.append((path, place.read_bytes()))
        except OSError:
            continue
    contents.sort(key=lambda item: (len(item[1]), item[0]))
    buffer = io.BytesIO()
    included = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for path, content in contents:
            # Source shrinks to a quarter or less; a third leaves room for the directory.
            if buffer.tell() + len(content) // 3 > max_zip_bytes:
                break
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
            included += 1
    if not included:
        return SourceZip(b64="", total=total, included=0)
    return SourceZip(
        b64=base64.b64encode(buffer.getvalue()).decode("ascii"), total=total, included=included
    )
