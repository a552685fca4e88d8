"""What users say of models is checked at once, in words that name field, value and what would be right."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from monitorx.client import ClientSettings, ModelConfig, MonitorXClient, ResourceUsage, Retry, Thresholds, value
from monitorx.client.inference import Inference, error_name


def test_cv_is_vision_and_latency_is_told_in_seconds() -> None:
    config = ModelConfig(id="faces", model_type="cv", thresholds=Thresholds(latency=250, error_rate=0.05))

    assert config.as_json() == {"kind": "vision", "thresholds": {"latency_s": 0.25, "error_ratio": 0.05}}


@pytest.mark.parametrize("model_type", ["llm", "vision", "tabular"])
def test_the_servers_own_words_for_types_are_taken_as_they_are(model_type: Any) -> None:
    assert ModelConfig(id="m", model_type=model_type).kind == model_type


def test_a_config_cannot_be_changed_behind_the_servers_back() -> None:
    with pytest.raises(FrozenInstanceError):
        ModelConfig(id="m").id = "n"  # type: ignore[misc]  # that is what must not work


def test_an_inference_is_told_in_the_words_of_the_rest_api() -> None:
    inference = Inference(
        "fraud", 12.5, 1_759_996_800_123_456_789, kind="tabular", resources=ResourceUsage(gpu_memory=1024), ttft=3
    )

    assert inference.as_json(lambda size: bytes(range(size))) == {
        "model": "fraud",
        "kind": "tabular",
        "duration_s": 0.0125,
        "end": "2025-10-09T08:00:00.123456Z",
        "ttft_s": 0.003,
        "trace_id": "000102030405060708090a0b0c0d0e0f",
        "span_id": "0001020304050607",
        "resources": {
            "gpu": "0",
            "gpu_memory_bytes": 1024,
            "gpu_utilization": None,
            "memory_bytes": None,
            "cpu_utilization": None,
        },
    }


def test_numbers_of_numpy_are_told_as_plain_numbers() -> None:
    usage = ResourceUsage(gpu_memory=np.uint64(2**33), gpu_utilization=np.float16(0.5), memory=np.array(1024))  # type: ignore[arg-type]  # an array of no dimension is a number too
    inference = Inference(
        "fraud",
        np.float32(12.5),  # type: ignore[arg-type]  # looks like a float, and is none
        0,
        batch_size=np.int64(4),  # type: ignore[arg-type]  # looks like an int, and is none
        input_tokens=np.int32(7),  # type: ignore[arg-type]  # as above
        cost_usd=Decimal("0.25"),  # type: ignore[arg-type]  # as above
        ttft=np.float32(3),  # type: ignore[arg-type]  # as above
        resources=usage,
    )
    thresholds = Thresholds(latency=np.float32(250), error_rate=np.float32(0.5))  # type: ignore[arg-type]  # as above

    assert json.loads(json.dumps([inference.as_json(bytes), thresholds.as_json()])) == [
        {
            "model": "fraud",
            "duration_s": 0.0125,
            "end": "1970-01-01T00:00:00.000000Z",
            "batch_size": 4,
            "input_tokens": 7,
            "cost_usd": 0.25,
            "ttft_s": 0.003,
            "trace_id": "0" * 32,
            "span_id": "0" * 16,
            "resources": {
                "gpu": "0",
                "gpu_memory_bytes": 2**33,
                "gpu_utilization": 0.5,
                "memory_bytes": 1024,
                "cpu_utilization": None,
            },
        },
        {"latency_s": 0.25, "error_ratio": 0.5},
    ]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(True, id="bool"),
        pytest.param(np.True_, id="bool of numpy"),
        pytest.param(np.array(True), id="array of a bool"),
        pytest.param(np.array([1.0]), id="array"),
        pytest.param(np.array([1.0, 2.0]), id="longer array"),
        pytest.param(np.str_("3"), id="digits of numpy"),
        pytest.param("3", id="digits"),
        pytest.param(np.timedelta64(5, "ms"), id="duration of numpy"),
        pytest.param(1j, id="complex"),
        pytest.param(np.complex64(1), id="complex of numpy"),
        pytest.param(np.float32("nan"), id="NaN of numpy"),
        pytest.param(10**400, id="too large for a float"),
        pytest.param(Decimal("sNaN"), id="a decimal that signals"),
        pytest.param(None, id="None"),
    ],
)
def test_what_is_no_number_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"^cost_usd: .* cannot be used; a number from 0 to \d+ is expected$"):
        value.amount("cost_usd", given)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(False, None, id="False"),
        pytest.param(True, "error", id="True"),
        pytest.param(np.False_, None, id="False of numpy"),
        pytest.param(np.True_, "error", id="True of numpy"),
        pytest.param(KeyError("secret"), "KeyError", id="an exception, without its words"),
        pytest.param("timeout", "timeout", id="a word"),
    ],
)
def test_an_error_is_told_by_its_name(error: Any, name: str | None) -> None:
    assert error_name(error) == name


@pytest.mark.parametrize(
    ("build", "words"),
    [
        pytest.param(
            lambda: Thresholds(latency=-1),
            "latency: -1 cannot be used; a number of milliseconds from 0 to 86400000 is expected",
            id="negative latency",
        ),
        pytest.param(
            lambda: Thresholds(latency=0),
            "latency: 0 cannot be used; a number of milliseconds above 0 is expected",
            id="no latency",
        ),
        pytest.param(
            lambda: Thresholds(latency=float("nan")),
            "latency: nan cannot be used; a number of milliseconds from 0 to 86400000 is expected",
            id="NaN",
        ),
        pytest.param(
            lambda: Thresholds(error_rate=5),
            "error_rate: 5 cannot be used; a ratio from 0 to 1 is expected (is 5 a percentage? then 0.05)",
            id="a percentage",
        ),
        pytest.param(
            lambda: Thresholds(error_rate=1),
            "error_rate: 1 cannot be used; a ratio below 1 is expected: no share is above 1",
            id="a share that nothing exceeds",
        ),
        pytest.param(
            lambda: ModelConfig(id=""),
            "id: '' cannot be used; a text of 1 to 256 printable characters is expected",
            id="no name",
        ),
        pytest.param(
            lambda: ModelConfig(id="m", model_type="image"),  # type: ignore[arg-type]  # that is the mistake
            "model_type: 'image' cannot be used; "
            "one of llm, vision, tabular, cv is expected (cv is the same as vision)",
            id="unknown type",
        ),
        pytest.param(
            lambda: ModelConfig(id="m", thresholds={"latency": 3}),  # type: ignore[arg-type]  # that is the mistake
            "thresholds: {'latency': 3} cannot be used; Thresholds(latency=…, error_rate=…) is expected",
            id="a dict",
        ),
        pytest.param(
            lambda: ResourceUsage(gpu_memory=0.7),
            "gpu_memory: 0.7 cannot be used; a number of bytes is expected, not a share",
            id="a share for bytes",
        ),
        pytest.param(
            lambda: ResourceUsage(gpu_memory="3 GB"),  # type: ignore[arg-type]  # that is the mistake
            "gpu_memory: '3 GB' cannot be used; a number of bytes from 0 to 9007199254740992 is expected",
            id="bytes in words",
        ),
        pytest.param(
            lambda: ResourceUsage(gpu_utilization=93),
            "gpu_utilization: 93 cannot be used; a ratio from 0 to 1 is expected (is 93 a percentage? then 0.93)",
            id="a percentage of a GPU",
        ),
        pytest.param(
            lambda: value.moment("timestamp", datetime(2026, 1, 1)),
            "timestamp: datetime.datetime(2026, 1, 1, 0, 0) cannot be used; "
            "a datetime with a time zone is expected, as in datetime.now(UTC)",
            id="no time zone",
        ),
        pytest.param(
            lambda: MonitorXClient("localhost:8000"),
            "base_url: 'localhost:8000' cannot be used; an address like http://127.0.0.1:8000 is expected",
            id="no scheme",
        ),
        pytest.param(
            lambda: ClientSettings(batch_size=5000),
            "batch_size: 5000 cannot be used; 1 to 1000 are expected",
            id="batch",
        ),
        pytest.param(
            lambda: ClientSettings(flush_every_s=0),
            "flush_every_s: 0 cannot be used; a number above 0 is expected",
            id="no pause",
        ),
        pytest.param(lambda: Retry(attempts=0), "attempts: 0 cannot be used; 1 or more are expected", id="no attempt"),
    ],
)
def test_what_cannot_be_used_is_named(build: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        build()

    assert str(caught.value) == words


def test_importing_the_client_brings_httpx_and_nothing_of_the_server() -> None:
    program = (
        "import sys, httpx; before = set(sys.modules); import monitorx.client\n"
        "print(sorted({n.split('.')[0] for n in set(sys.modules) - before} - set(sys.stdlib_module_names)))\n"
        "print(sorted(n for n in sys.modules if n.startswith('monitorx.') and not n.startswith('monitorx.client')))\n"
    )

    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "['monitorx']\n[]\n"
