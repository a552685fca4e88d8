import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter

from monitorx.processor.export import exporter_from_environment
from monitorx.processor.identity import instance_id, with_identity


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, HttpExporter, id="nothing said"),
        pytest.param({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, HttpExporter, id="http"),
        pytest.param({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, GrpcExporter, id="grpc"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"},
            GrpcExporter,
            id="grpc for metrics",
        ),
    ],
)
def test_the_exporter_is_the_one_that_the_environment_describes(
    environment: dict[str, str], expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    exporter = exporter_from_environment()()
    exporter.shutdown()

    assert type(exporter) is expected


def test_a_resource_without_an_instance_id_gets_that_of_the_process() -> None:
    assert with_identity({"service.name": "shop"}) == {"service.name": "shop", "service.instance.id": instance_id()}


def test_an_instance_id_that_somebody_gave_stays() -> None:
    given = {"service.name": "shop", "service.instance.id": "pod-1"}

    assert with_identity(given) == given
    assert with_identity(with_identity({})) == {"service.instance.id": instance_id()}
