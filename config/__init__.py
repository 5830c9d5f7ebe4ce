"""Settings: models, loading, problems in plain words, and the generated sample."""

from __future__ import annotations

from config.changes import Change, changes_since
from config.loading import load
from config.notices import notices
from config.problems import ConfigProblems, Notice, Problem
from config.sample import sample
from config.settings import Settings

__all__ = [
    "Change",
    "ConfigProblems",
    "Notice",
    "Problem",
    "Settings",
    "changes_since",
    "load",
    "notices",
    "sample",
]
