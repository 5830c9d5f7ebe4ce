"""The built join page on disk."""

from __future__ import annotations

import mimetypes
from pathlib import Path

BUILT = Path(__file__).parent / "static"
"""Where ``make page`` puts the page, and where the wheel carries it."""


class StaticPage:
    """The files of the built page, listed once at start.

    Only names found then are ever served, so a request cannot wander through the file system.

    Args:
        folder: The build's output: ``index.html`` and ``assets/``.
    """

    def __init__(self, folder: Path = BUILT) -> None:
        index = folder / "index.html"
        self.index: bytes | None = index.read_bytes() if index.is_file() else None
        assets = folder / "assets"
        found = sorted(assets.iterdir()) if assets.is_dir() else []
        self._assets = {path.name: path for path in found if path.is_file()}

    def asset(self, name: str) -> tuple[Path, str] | None:
        """Path and media type of a file of the page, or None."""
        path = self._assets.get(name)
        if path is None:
            return None
        return path, mimetypes.guess_type(name)[0] or "application/octet-stream"
