"""What the official instrumentation of the openai client sends, which docs/instrument/llm.md tells and decode reads."""

import asyncio
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from monitorx.backend.demo.cast import Ports, Stage, examples_folder

pytestmark = pytest.mark.needs("openai")

QUESTION = [{"role": "user", "content": "two words"}]
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = Ports.free().chat
    with Stage(tmp_path_factory.mktemp("logs")) as stage:
        stage.start("chat_server", [sys.executable, str(examples_folder() / "chat_server.py"), "--port", str(port)])
        for _ in range(200):
            stage.check()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models").close()
                break
            except urllib.error.URLError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"


class Telemetry:
    """Spans and metrics of the calls made in one test."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meter_provider = MeterProvider(metric_readers=[self.reader])

    def span(self) -> dict[str, object]:
        """Attributes of the one span, without those that differ from call to call."""
        (span,) = self.exporter.get_finished_spans()
        assert span.name == f"chat {(span.attributes or {})['gen_ai.request.model']}"
        differing = ("server.port", "gen_ai.response.id")
        return {name: value for name, value in (span.attributes or {}).items() if name not in differing}

    def metrics(self) -> dict[str, list[dict[str, object]]]:
        """Attributes of the points of each metric, without the port."""
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: [
                {name: value for name, value in (point.attributes or {}).items() if name != "server.port"}
                for point in metric.data.data_points
            ]
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    found = Telemetry()
    OpenAIInstrumentor().instrument(tracer_provider=found.tracer_provider, meter_provider=found.meter_provider)
    yield found
    OpenAIInstrumentor().uninstrument()


ASKED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "standin-chat",
    "server.address": "127.0.0.1",
}
ANSWERED = {
    **ASKED,
    "gen_ai.response.model": "standin-chat",
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.usage.input_tokens": 2,
    "gen_ai.usage.output_tokens": 24,
}


def test_a_whole_answer(url: str, telemetry: Telemetry) -> None:
    from openai import OpenAI

    OpenAI(base_url=url, api_key="none").chat.completions.create(model="standin-chat", messages=QUESTION)

    point = {**ASKED, "gen_ai.response.model": "standin-chat"}
    assert telemetry.span() == ANSWERED
    assert telemetry.metrics() == {
        "gen_ai.client.operation.duration": [point],
        "gen_ai.client.token.usage": [
            {**point, "gen_ai.token.type": "input"},
            {**point, "gen_ai.token.type": "output"},
        ],
    }


def test_a_streamed_answer_tells_its_first_chunk(url: str, telemetry: Telemetry) -> None:
    from openai import OpenAI

    list(
        OpenAI(base_url=url, api_key="none").chat.completions.create(
            model="standin-chat", messages=QUESTION, **STREAMED
        )
    )

    span = telemetry.span()
    first_chunk_s = span.pop("gen_ai.response.time_to_first_chunk")
    assert isinstance(first_chunk_s, float)
    assert 0.02 <= first_chunk_s < 10  # the stand-in waits 20 ms before it speaks
    assert span == {**ANSWERED, "gen_ai.request.stream": True}
    assert set(telemetry.metrics()) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.operation.time_per_output_chunk",
    }


def test_the_asynchronous_client_tells_the_same(url: str, telemetry: Telemetry) -> None:
    from openai import AsyncOpenAI

    async def ask() -> None:
        async with AsyncOpenAI(base_url=url, api_key="none") as client:
            await client.chat.completions.create(model="standin-chat", messages=QUESTION)

    asyncio.run(ask())

    assert telemetry.span() == ANSWERED


def test_a_failed_call_has_an_error_type_and_no_response_model(url: str, telemetry: Telemetry) -> None:
    from openai import NotFoundError, OpenAI

    with pytest.raises(NotFoundError):
        OpenAI(base_url=url, api_key="none").chat.completions.create(model="none", messages=QUESTION)

    failed = {**ASKED, "gen_ai.request.model": "none", "error.type": "openai.NotFoundError"}
    assert telemetry.span() == failed
    assert telemetry.metrics() == {"gen_ai.client.operation.duration": [failed]}
