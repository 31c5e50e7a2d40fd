"""The metrics of several processes are added up to those of one."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mcp_operator.api.catalog import Redis
from mcp_operator.app.workers.adding_up import ADDED, GREATEST, LEAST, Totals
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.gateway.app import GatewayAddress, GatewayApp
from mcp_operator.gateway.redis.dial import Dialer
from mcp_operator.gateway.redis.server import RedisOfServer
from mcp_operator.gateway.source import CatalogSource, index_informer
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.upstream.secret_values import StaticSecrets
from mcp_operator.runtime.informer import InformerSet
from support.fake_client import FakeClient
from support.fake_executor import FakeExecutor
from support.mcp_http import table


class Worker:
    """A process with one metric of each kind."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter("calls_total", "Calls.", ("tool",), registry=self.registry)
        self.took = Histogram("took_seconds", "Time.", buckets=(0.1, 1), registry=self.registry)
        self.streams = Gauge("mcp_open_streams", "Streams.", registry=self.registry)
        self.digest = Gauge("mcp_catalog_info", "1.", ("digest",), registry=self.registry)
        self.files = Gauge("process_max_fds", "Files.", registry=self.registry)

    def shown(self) -> str:
        return generate_latest(self.registry).decode()


def series(totals: Totals) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(totals.text().decode())
        for sample in family.samples
    }


def test_counters_and_histograms_are_summed_by_series() -> None:
    one, other, totals = Worker(), Worker(), Totals()
    one.calls.labels("a").inc(2)
    other.calls.labels("a").inc(3)
    other.calls.labels("b").inc()
    one.took.observe(0.05)
    other.took.observe(0.5)

    totals.note(0, one.shown())
    totals.note(1, other.shown())

    shown = series(totals)
    assert shown["calls_total", "a"] == 5
    assert shown["calls_total", "b"] == 1
    assert shown["took_seconds_bucket", "0.1"] == 1
    assert shown["took_seconds_bucket", "1.0"] == 2
    assert shown["took_seconds_bucket", "+Inf"] == 2
    assert shown["took_seconds_sum",] == 0.55


def test_a_gauge_is_summed_unless_it_describes_all_workers() -> None:
    one, other, totals = Worker(), Worker(), Totals()
    for worker, streams, files in ((one, 2, 20_000), (other, 5, 1024)):
        worker.streams.set(streams)
        worker.files.set(files)
        worker.digest.labels("abc").set(1)

    totals.note(0, one.shown())
    totals.note(1, other.shown())

    shown = series(totals)
    assert shown["mcp_open_streams",] == 7
    assert shown["mcp_catalog_info", "abc"] == 1
    assert shown["process_max_fds",] == 1024


def test_counts_are_kept_when_a_worker_restarts() -> None:
    worker, totals = Worker(), Totals()
    worker.calls.labels("a").inc(7)
    worker.took.observe(0.5)
    worker.streams.set(3)
    totals.note(0, worker.shown())

    totals.end(0)
    assert series(totals)["calls_total", "a"] == 7

    again = Worker()
    again.calls.labels("a").inc()
    totals.note(0, again.shown())
    totals.note(0, again.shown())
    totals.end(0)
    shown = series(totals)
    assert shown["calls_total", "a"] == 8
    assert shown["took_seconds_count",] == 1
    assert ("mcp_open_streams",) not in shown, "the streams ended with the worker"


def test_the_totals_have_the_text_format_of_prometheus() -> None:
    worker, totals = Worker(), Totals()
    worker.calls.labels("a").inc()
    worker.took.observe(0.5)
    totals.note(0, worker.shown())

    assert totals.text().decode() == worker.shown()


async def test_every_gauge_of_a_gateway_has_a_rule_for_combining_workers() -> None:
    metrics, current = RuntimeMetrics(new_registry()), Current()
    current.swap(table(redis=Redis(host="127.0.0.1", port=1, keys="")))
    redis = RedisOfServer(current, Dialer({}), StaticSecrets(), metrics.registry)
    app = GatewayApp(current, FakeExecutor(), address=GatewayAddress(), registry=metrics.registry)
    app._metrics.watch_certificate(lambda: 0.0)
    redis.start()
    client = FakeClient()
    index = Key("demo", "shop")
    informers = InformerSet(client)
    CatalogSource(
        client,
        index_informer(informers, index),
        current,
        index=index,
        registry=metrics.registry,
    )
    of_operators = ("controller_runtime_", "workqueue_", "leader_election_")
    gauges = {
        family.name
        for family in metrics.registry.collect()
        if family.type == "gauge" and not family.name.startswith(of_operators)
    }
    await redis.close()
    assert gauges == ADDED | GREATEST | LEAST
