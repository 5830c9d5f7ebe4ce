"""Where meetings come from: one module and one line here per provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.calls.ports import Provider
from bridge.providers.livekit import LivekitProvider
from bridge.providers.parts import ProviderParts

__all__ = ["PROVIDERS", "ProviderParts"]

PROVIDERS: Mapping[str, Callable[[ProviderParts], Provider]] = {
    LivekitProvider.name: LivekitProvider,
}
"""How to make each provider, by its name in ``calls.provider``."""
