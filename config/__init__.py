"""Settings: models, loading, problems in plain words, and the generated sample."""

from __future__ import annotations

from config.changes import Change, changes_since
from config.loading import load
from config.problems import ConfigProblems, Problem
from config.sample import sample
from config.settings import Settings

__all__ = ["Change", "ConfigProblems", "Problem", "Settings", "changes_since", "load", "sample"]
