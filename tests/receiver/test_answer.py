"""Failures of the server's tree become what senders act on, in the words of their transport."""

import json

import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from monitorx.backend.batch import Signal
from monitorx.backend.errors import Malformed, Overloaded, StorageError, TooLarge
from monitorx.backend.receiver.admission import Accepted, Encoding
from monitorx.backend.receiver.answer import refusal_of, status_of, success, write

RESPONSES = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
}


@pytest.mark.parametrize("signal", list(Signal))
def test_full_success_is_an_empty_response(signal: Signal) -> None:
    assert success(signal, Encoding.PROTOBUF, Accepted(0, "a note")) == b""
    assert success(signal, Encoding.JSON, Accepted(0, "a note")) == b"{}"


@pytest.mark.parametrize("signal", list(Signal))
def test_partial_success_is_the_same_in_both_encodings(signal: Signal) -> None:
    response, field, name = RESPONSES[signal]

    binary = response.FromString(success(signal, Encoding.PROTOBUF, Accepted(3, "no ids")))
    text = json.loads(success(signal, Encoding.JSON, Accepted(3, "no ids")))

    assert binary == response(partial_success={field: 3, "error_message": "no ids"})
    assert text == {"partialSuccess": {name: 3, "errorMessage": "no ids"}}


def test_a_rejection_always_has_a_message() -> None:
    text = json.loads(success(Signal.LOGS, Encoding.JSON, Accepted(3)))

    assert text["partialSuccess"]["errorMessage"] == "3 items were rejected"


def test_a_status_in_json_names_its_details() -> None:
    status = status_of(refusal_of(Malformed("not JSON", field="resourceSpans")))

    assert json.loads(write(status, Encoding.JSON)) == {
        "code": 3,
        "message": "not JSON",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": "resourceSpans", "description": "not JSON"}],
            }
        ],
    }


def test_overload_says_when_to_come_again() -> None:
    status = status_of(refusal_of(Overloaded("full", retry_after_s=0.25)))

    retry = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(retry)
    assert (status.code, retry.retry_delay.ToMilliseconds()) == (14, 250)


def test_too_large_is_never_worth_another_try() -> None:
    status = status_of(refusal_of(TooLarge("over it")))

    assert status.code == 8
    assert not any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)


def test_a_long_message_is_cut() -> None:
    status = status_pb2.Status.FromString(write(status_of(refusal_of(Malformed("x" * 5000))), Encoding.PROTOBUF))

    assert status.message == "x" * 300


def test_what_the_disk_says_is_not_told_to_senders() -> None:
    refusal = refusal_of(StorageError("/var/lib/monitorx/journal has 12 bytes free"))

    assert refusal.message == "the server cannot store data now; try again"
    assert (refusal.http_status, refusal.code, refusal.retry_after_s) == (503, 14, 5.0)
