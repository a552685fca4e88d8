"""
Decoding alone: bytes to columns, against the plain walk (N). `python -m tests.bench.decode`

CPU time of one thread, best of several rounds. "warm": the same series come again, as they do from a live process;
"cold": no series was seen before.
"""

import random
import sys
import time
from collections.abc import Callable

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoder
from tests.bench.plain_walk import plain_walk
from tests.support.otlp import attributes

START_NS = 1_700_000_000_000_000_000
RESOURCE: dict[str, str | int | float] = {"service.name": "shop", "service.instance.id": "i-1", "host.name": "h-1"}


def points(count: int, *, series: int = 100, seed: int = 1) -> bytes:
    """Gauges and sums by turns, each of *series* series with 3 to 5 attributes."""
    rng = random.Random(seed)
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(attributes(RESOURCE))
    scope = resource.scope_metrics.add()
    for number in range(count // series):
        metric = scope.metrics.add(name=f"bench.{number}", unit="1")
        if is_sum := number % 2 == 1:
            metric.sum.aggregation_temporality, metric.sum.is_monotonic = 2, True
        for index in range(series):
            data = metric.sum.data_points if is_sum else metric.gauge.data_points
            point = data.add(start_time_unix_nano=START_NS, time_unix_nano=START_NS + 5_000_000_000)
            if is_sum:
                point.as_int = rng.randrange(1000)
            else:
                point.as_double = rng.random()
            words = {"ml.model.name": f"m-{index % 7}", "http.route": f"/r/{index}", "region": "eu"}
            words |= dict(list({"zone": f"z-{index % 3}", "host": f"h-{index % 11}"}.items())[: index % 3])
            point.attributes.extend(attributes(dict(words)))
    return request.SerializeToString()


def spans(count: int, *, seed: int = 1) -> bytes:
    """Chat calls with 15 attributes, of which four are never the same twice."""
    rng = random.Random(seed)
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(attributes(RESOURCE))
    scope = resource.scope_spans.add()
    for index in range(count):
        span = scope.spans.add(name="chat gpt-4o", kind=3, flags=257)
        span.trace_id, span.span_id, span.parent_span_id = rng.randbytes(16), rng.randbytes(8), rng.randbytes(8)
        span.start_time_unix_nano = START_NS + index * 1_000_000
        span.end_time_unix_nano = span.start_time_unix_nano + rng.randrange(10**9)
        known: dict[str, str | int | float] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.id": f"chatcmpl-{rng.randbytes(12).hex()}",
            "gen_ai.conversation.id": rng.randbytes(8).hex(),
            "gen_ai.usage.input_tokens": rng.randrange(4000),
            "gen_ai.usage.output_tokens": rng.randrange(900),
            "gen_ai.request.max_tokens": 1000,
            "gen_ai.request.temperature": 0.7,
            "gen_ai.output.type": "text",
            "server.address": "api.openai.com",
            "server.port": 443,
            "enduser.id": f"u-{index % 50}",
        }
        span.attributes.extend(attributes(known))
        reasons = span.attributes.add(key="gen_ai.response.finish_reasons")
        reasons.value.array_value.values.add(string_value="stop")
    return request.SerializeToString()


def cpu_s(work: Callable[[], object], rounds: int = 5, repeats: int = 5) -> float:
    """CPU seconds of one call: the best round's mean."""
    work()
    best = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        for _ in range(repeats):
            work()
        best = min(best, (time.process_time() - begin) / repeats)
    return best


def main() -> None:
    """Print the table."""
    decoder = Decoder()
    for name, signal, body, count in (
        ("10,000 points", Signal.METRICS, points(10_000), 10_000),
        ("500 points", Signal.METRICS, points(500, series=10), 500),
        ("512 spans, 15 attributes", Signal.TRACES, spans(512), 512),
    ):
        plain = count / cpu_s(lambda: plain_walk(signal, body))  # noqa: B023 - called before the loop goes on
        warm = count / cpu_s(lambda: decoder.decode(signal, body, tenant="", arrival_ns=START_NS))  # noqa: B023 - same
        cold = count / cpu_s(lambda: Decoder().decode(signal, body, tenant="", arrival_ns=START_NS))  # noqa: B023 - same
        sys.stdout.write(
            f"{name:26} plain (N) {plain:9,.0f}/s   warm {warm:9,.0f}/s = {warm / plain:.1f} N"
            f"   cold {cold:9,.0f}/s = {cold / plain:.1f} N\n"
        )


if __name__ == "__main__":
    main()
