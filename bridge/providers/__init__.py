"""Where meetings come from: one module or package per provider.

Each fills `bridge.calls.ports.Provider`; `bridge.assembly.meetings` makes those that the settings allow.
"""

from __future__ import annotations
