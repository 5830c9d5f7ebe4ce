"""How a defect is named in logs: never by its message, which may hold what people wrote."""

from __future__ import annotations

import traceback
from pathlib import Path


def place(error: BaseException) -> str:
    """Class and innermost place of an error."""
    frames = trail(error)
    return f"{type(error).__name__}{f' at {frames[-1]}' if frames else ''}"


def trail(error: BaseException) -> list[str]:
    """The places that an error came through, outermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
