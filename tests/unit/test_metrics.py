from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest

from bridge.metrics import Signalling
from bridge.rtc.door import Outcome
from bridge.rtc.gateway import Gateway


@dataclass
class Exchange:
    outcomes: collections.Counter[Outcome] = field(default_factory=collections.Counter)

    def connections(self) -> list[str]:
        return ["one", "other"]


def test_the_gateways_counts_are_there_before_anything_has_happened() -> None:
    exchange, registry = Exchange(), CollectorRegistry()
    registry.register(Signalling(cast(Gateway, exchange)))
    exchange.outcomes[Outcome.OPENED] += 3
    found = generate_latest(registry).decode()
    assert "passerelle_gateway_connected 2.0" in found
    assert 'passerelle_gateway_connections_total{outcome="opened"} 3.0' in found
    assert 'passerelle_gateway_connections_total{outcome="bad_token"} 0.0' in found
