"""What the process counts. Labels name outcomes, never rooms or people."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appservice.runtime import Runtime
from bridge.keeper.watch import Watch
from bridge.rtc.door import Outcome
from bridge.rtc.gateway import Gateway
from bridge.sfu.receiver import WebhookReceiver

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


def instrument(
    registry: CollectorRegistry,
    runtime: Runtime,
    watch: Watch,
    receiver: WebhookReceiver | None,
    *,
    orphans: Callable[[], int],
    gateway: Gateway | None = None,
) -> None:
    """Count in a registry what the parts of the process tell.

    Args:
        registry: Where to count.
        runtime: Takes events in, has them handled, and sends.
        watch: Knows every call that is looked at.
        receiver: Takes webhooks, where the SFU sends any.
        orphans: How many meetings were perhaps made in Visio and shown to nobody.
        gateway: Holds the signalling of native calls, where there are any.
    """
    seen = Counter("passerelle_events_seen", "Events in transactions", registry=registry)
    kept = Counter("passerelle_events_kept", "Events that concern the bridge", registry=registry)
    aside = Counter("passerelle_events_set_aside", "Events that could not be read", registry=registry)
    handled = Histogram(
        "passerelle_inbox_seconds",
        "From the intake of an event to its outcome",
        ["outcome"],
        buckets=_SECONDS,
        registry=registry,
    )
    sent = Histogram(
        "passerelle_outbox_seconds",
        "From writing something down to its outcome at the homeserver",
        ["outcome"],
        buckets=_SECONDS,
        registry=registry,
    )

    def taken(events: int, ours: int, malformed: int) -> None:
        seen.inc(events)
        kept.inc(ours)
        aside.inc(malformed)

    runtime.intake.on_taken(taken)
    runtime.worker.on_outcome(lambda outcome, age: handled.labels(outcome).observe(age / 1000))
    runtime.sender.on_outcome(lambda outcome, age: sent.labels(outcome).observe(age / 1000))
    registry.register(_Now(runtime, watch, receiver, orphans))
    if gateway is not None:
        registry.register(Signalling(gateway))


class _Now(Collector):
    """What is true at the moment of asking."""

    def __init__(
        self, runtime: Runtime, watch: Watch, receiver: WebhookReceiver | None, orphans: Callable[[], int]
    ) -> None:
        self._runtime = runtime
        self._watch = watch
        self._receiver = receiver
        self._orphans = orphans

    def collect(self) -> Iterable[Metric]:
        """The gauges, and the webhook counts that their receiver keeps itself."""
        yield GaugeMetricFamily(
            "passerelle_calls_watched", "Calls that are looked at, of all replicas", value=len(self._watch)
        )
        yield GaugeMetricFamily(
            "passerelle_inbox_waiting",
            "Events taken in by this process and not yet handled",
            value=self._runtime.intake.backlog.waiting,
        )
        yield GaugeMetricFamily(
            "passerelle_shards_held",
            "Shards of rooms that this process works on",
            value=len(self._runtime.ownership.held),
        )
        yield CounterMetricFamily(
            "passerelle_orphan_meetings",
            "Meetings that were perhaps made in Visio and that nobody was shown the link of",
            value=self._orphans(),
        )
        if self._receiver is not None:
            webhooks = GaugeMetricFamily("passerelle_webhooks", "Webhooks by outcome", labels=["outcome"])
            for outcome, count in self._receiver.outcomes.items():
                webhooks.add_metric([outcome.value], count)
            yield webhooks


class Signalling(Collector):
    """The gateway's own counts."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def collect(self) -> Iterable[Metric]:
        """Connections now, and how each attempt ended."""
        yield GaugeMetricFamily(
            "passerelle_gateway_connected",
            "Clients of native calls that are connected through this process",
            value=len(self._gateway.connections()),
        )
        attempts = CounterMetricFamily(
            "passerelle_gateway_connections",
            "Attempts to connect to a native call through this process, by outcome",
            labels=["outcome"],
        )
        for outcome in Outcome:
            attempts.add_metric([outcome.value], self._gateway.outcomes[outcome])
        yield attempts
