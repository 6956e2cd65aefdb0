"""The front-end's numbers for Prometheus: read when they are asked for, kept nowhere.

Owns names, labels and help texts. The text format is prometheus-client's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from exfront import __version__
from exfront.admin.overview import back_ends, caches, tallies
from exfront.ledger import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from exfront.admin.overview import Observed


def make_registry(observed: Observed) -> CollectorRegistry:
    """A registry of its own with everything there is to say about this process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FrontEndCollector(observed))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class FrontEndCollector(Collector):
    """Makes the metrics out of the counters that are there."""

    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def describe(self) -> Iterable[Metric]:
        """Nothing is promised before it is there."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._process()
        yield from self._requests()
        yield from self._servers()

    def _process(self) -> Iterator[Metric]:
        service = self._observed.service
        yield InfoMetricFamily("exfront", "The running version.", {"version": __version__})
        yield GaugeMetricFamily("exfront_ready", "1 when new requests may come.", 0 if service.unready else 1)
        yield GaugeMetricFamily(
            "exfront_uptime_seconds", "Seconds since the start.", self._observed.wall() - self._observed.started
        )
        yield GaugeMetricFamily(
            "exfront_last_reload_successful", "0 when the last reload was refused.", 0 if service.refused else 1
        )
        yield CounterMetricFamily("exfront_reloads", "Reloads that were carried out.", service.reloads)
        connections = len(service.lasting.factory.connections)
        yield GaugeMetricFamily("exfront_connections", "Open client connections.", connections)
        most = service.serving.settings.front_end.max_connections
        yield GaugeMetricFamily("exfront_connections_limit", "The most there may be (max_connections).", most)
        lost = getattr(service.lasting.log_file, "lost", 0)
        yield CounterMetricFamily("exfront_access_log_lost_lines", "Lines that could not be written.", lost)
        directory = service.serving.directory
        if directory is not None:
            there = 0 if directory.outage.reason else 1
            yield GaugeMetricFamily("exfront_directory_up", "0 while no directory server can be asked.", there)
        entries = GaugeMetricFamily("exfront_cache_entries", "Answers that are kept.", labels=["cache"])
        for name, size in caches(service).items():
            entries.add_metric([name], size)
        yield entries

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "exfront_requests",
            "Requests that are over; 499: the client went away.",
            labels=["vdir", "status", "method"],
        )
        sent = CounterMetricFamily("exfront_sent_bytes", "Bytes of response bodies.", labels=["vdir"])
        received = CounterMetricFamily("exfront_received_bytes", "Bytes of request bodies.", labels=["vdir"])
        seconds = HistogramMetricFamily(
            "exfront_request_duration_seconds", "From a request's first byte to its end.", labels=["vdir"]
        )
        for vdir, tally in sorted(tallies(self._observed.service).items()):
            for status, by_method in tally.requests.items():
                for method, count in by_method.items():
                    requests.add_metric([vdir, str(status), method.decode("ascii")], count)
            sent.add_metric([vdir], tally.sent)
            received.add_metric([vdir], tally.received)
            seconds.add_metric([vdir], list(_cumulated(tally.buckets)), tally.seconds)
        yield from (requests, sent, received, seconds)

    def _servers(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("exfront_back_end_up", "0 while the server is marked unavailable.", labels=["server"])
        idle = GaugeMetricFamily("exfront_back_end_idle_connections", "Kept-alive connections.", labels=["server"])
        for server in back_ends(self._observed.service):
            up.add_metric([server["name"]], 0 if server["unavailable"] else 1)
            idle.add_metric([server["name"]], server["idle"])
        yield from (up, idle)


def _cumulated(buckets: list[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip([*map(str, BUCKETS), "+Inf"], buckets, strict=True):
        total += count
        yield bound, total
