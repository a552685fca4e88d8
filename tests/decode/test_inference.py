"""Spans that are inferences, and those that are not."""

from typing import Any

import pytest

from monitorx.backend.batch import BatchKind
from tests.decode.build import CHAT, NOW, SECOND, SHOP, TRACE, column, decoded, rows, span, traces

CALL = BatchKind.INFERENCE


def only(*args: Any, **fields: Any) -> dict[str, Any]:
    [row] = rows(decoded(traces(span(*args, **fields))), CALL)
    return row


def test_a_chat_span_is_an_inference_with_all_its_columns() -> None:
    told = {
        **CHAT,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3.0,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.input.messages": "x" * 1_000_000,
    }
    row = only(told, parent_span_id=bytes([9] * 8), trace_state="ot=th:8")

    assert row.pop("key") > 0
    assert row == {
        "time_ns": NOW,
        "tenant": "t",
        "service": "shop",
        "instance": "i-1",
        "model": "gpt-4o",
        "kind": "llm",
        "operation": "chat",
        "framework": "openai",
        "duration_s": 0.5,
        "input_tokens": 12.0,
        "output_tokens": 3.0,
        "ttft_s": 0.25,
        "weight": 2.0,
        "trace_id": TRACE,
        "span_id": bytes([0, 0, 0, 0, 0, 0, 0, 1]),
        "parent_span_id": bytes([9] * 8),
    }


def test_a_predict_span_is_an_inference_of_its_kind() -> None:
    told = {
        "ml.operation.name": "predict_proba",
        "ml.model.name": "fraud",
        "ml.model.version": "3",
        "ml.model.kind": "vision",
        "ml.framework.name": "onnxruntime",
        "ml.request.batch.size": 32,
        "error.type": "ValueError",
    }
    row = only(told)

    names = ("model", "version", "kind", "operation", "framework", "batch_size", "error_type")
    assert [row[name] for name in names] == ["fraud", "3", "vision", "predict_proba", "onnxruntime", 32.0, "ValueError"]


@pytest.mark.parametrize(
    ("told", "kind", "operation", "model"),
    [
        pytest.param({"gen_ai.request.model": "m"}, "llm", "chat", "m", id="model only"),
        pytest.param({"gen_ai.response.model": "m"}, "llm", "chat", "m", id="response model only"),
        pytest.param({"gen_ai.operation.name": "embeddings"}, "llm", "embeddings", None, id="operation only"),
        pytest.param({"ml.model.name": "m"}, "tabular", "predict", "m", id="ml model only"),
        pytest.param(
            {"llm.request.type": "completion", "llm.request.model": "m"},
            "llm",
            "text_completion",
            "m",
            id="openllmetry",
        ),
        pytest.param({"openinference.span.kind": "LLM", "llm.model_name": "m"}, "llm", "chat", "m", id="openinference"),
        pytest.param(
            {"openinference.span.kind": "EMBEDDING", "embedding.model_name": "m"},
            "llm",
            "embeddings",
            "m",
            id="embedding",
        ),
        pytest.param(
            {"traceloop.span.kind": "task", "gen_ai.operation.name": "chat"},
            "llm",
            "chat",
            None,
            id="our own word wins",
        ),
    ],
)
def test_a_model_or_an_operation_makes_an_inference(
    told: dict[str, Any], kind: str, operation: str, model: str | None
) -> None:
    row = only(told)

    assert (row["kind"], row["operation"], row.get("model")) == (kind, operation, model)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({}, id="no attributes"),
        pytest.param({"http.request.method": "POST"}, id="http"),
        pytest.param({"gen_ai.system": "openai"}, id="provider only"),
        pytest.param({**CHAT, "gen_ai.operation.name": "invoke_agent"}, id="agent"),
        pytest.param({**CHAT, "gen_ai.operation.name": "execute_tool"}, id="tool"),
        pytest.param({"openinference.span.kind": "CHAIN", "llm.model_name": "m"}, id="chain"),
        pytest.param({"traceloop.span.kind": "workflow"}, id="workflow"),
        pytest.param({"gen_ai.request.model": ""}, id="empty model"),
        pytest.param({"gen_ai.request.model": ["a", "b"]}, id="model is a list"),
    ],
)
def test_other_spans_are_counted_and_not_kept(told: dict[str, Any]) -> None:
    result = decoded(traces(span(told)))

    assert (result.batches, result.items, result.rejected, result.keys.tolist()) == ((), 1, 0, [])


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        pytest.param("gen_ai.usage.prompt_tokens", 7, "input_tokens", 7.0, id="older name"),
        pytest.param("llm.token_count.completion", 7, "output_tokens", 7.0, id="openinference"),
        pytest.param("llm.usage.prompt_tokens", 7, "input_tokens", 7.0, id="openllmetry"),
        pytest.param("usage.completion_tokens", "7", "output_tokens", 7.0, id="a number as text"),
        pytest.param("gen_ai.system", "aws.bedrock", "framework", "aws.bedrock", id="older provider"),
        pytest.param("llm.cost.total", 0.125, "cost_usd", 0.125, id="cost"),
        pytest.param("gen_ai.latency.time_to_first_token", 0.5, "ttft_s", 0.5, id="vllm"),
        pytest.param("gen_ai.usage.input_tokens", -1, "input_tokens", None, id="negative"),
        pytest.param("gen_ai.usage.input_tokens", float("nan"), "input_tokens", None, id="not a number"),
        pytest.param("gen_ai.usage.input_tokens", True, "input_tokens", None, id="a boolean"),
        pytest.param("gen_ai.usage.input_tokens", "many", "input_tokens", None, id="a word"),
    ],
)
def test_foreign_names_tell_the_same(name: str, value: object, field: str, expected: object) -> None:
    assert only({"gen_ai.request.model": "m", name: value}).get(field) == expected


def test_our_own_name_wins_wherever_it_stands() -> None:
    own, older = {"gen_ai.usage.input_tokens": 1}, {"gen_ai.usage.prompt_tokens": 2}

    both = [only({**CHAT, **own, **older})["input_tokens"], only({**CHAT, **older, **own})["input_tokens"]]

    assert both == [1.0, 1.0]


def test_a_status_of_error_without_a_type_is_an_error() -> None:
    failed = span(CHAT)
    failed.status.code = 2

    assert column(decoded(traces(failed)), "error_type", CALL) == ["error"]


def test_a_span_without_a_start_took_no_time_at_its_end() -> None:
    ended = only(CHAT, start_time_unix_nano=0)
    timeless = only(CHAT, start_time_unix_nano=0, end_time_unix_nano=0)

    end = only(CHAT)
    assert ended["time_ns"] == end["time_ns"] + round(end["duration_s"] * 1e9)
    assert (ended["duration_s"], timeless["duration_s"]) == (0.0, 0.0)
    assert timeless["time_ns"] > 0


def test_an_end_before_the_start_is_no_time_at_all() -> None:
    assert only(CHAT, end_time_unix_nano=NOW - SECOND)["duration_s"] == 0.0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"trace_id": b""}, "the trace_id of a span must be 16 bytes, not all zero", id="no trace id"),
        pytest.param({"trace_id": bytes(16)}, "the trace_id of a span must be 16 bytes, not all zero", id="zero"),
        pytest.param({"trace_id": bytes([1] * 64)}, "the trace_id of a span must be 16 bytes, not all zero", id="long"),
        pytest.param({"span_id": b"a"}, "the span_id of a span must be 8 bytes, not all zero", id="short span id"),
        pytest.param({"span_id": bytes(8)}, "the span_id of a span must be 8 bytes, not all zero", id="zero span id"),
        pytest.param({"start_time_unix_nano": 2**63}, "a time is later than the year 2262", id="late start"),
        pytest.param({"end_time_unix_nano": 2**64 - 1}, "a time is later than the year 2262", id="late end"),
    ],
)
def test_a_span_that_makes_no_sense_is_rejected_alone(fields: dict[str, Any], reason: str) -> None:
    result = decoded(traces(span(CHAT, 1), span(CHAT, 2, **fields), span({}, 3, **fields)))

    assert (result.items, result.rejected, result.message) == (3, 2, f"2 rejected: {reason}")
    assert column(result, "span_id", CALL) == [bytes([0, 0, 0, 0, 0, 0, 0, 1])]


def test_a_resource_without_an_instance_gets_a_stable_one() -> None:
    one = only(CHAT)
    bare = [
        column(decoded(traces(span(CHAT), resource=resource)), "instance", CALL)
        for resource in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "1", "b": "3"})
    ]

    assert one["instance"] == SHOP["service.instance.id"]
    assert bare[0] == bare[1] != bare[2]
    assert column(decoded(traces(span(CHAT), resource={})), "service", CALL) == ["unknown_service"]


def test_a_long_name_is_cut_and_hostile_text_is_kept() -> None:
    hostile = "a\x00b'; DROP TABLE spans;--\u202e🔑"

    assert only({"gen_ai.request.model": "m" * 65_536})["model"] == "m" * 1024
    assert only({"gen_ai.request.model": hostile})["model"] == hostile


def test_a_parent_id_of_another_length_is_no_parent() -> None:
    assert "parent_span_id" not in only(CHAT, parent_span_id=b"abc")


def test_the_key_of_a_span_is_its_identity_and_nothing_else() -> None:
    first = only(CHAT)
    again = only({**CHAT, "gen_ai.usage.input_tokens": 5}, end_time_unix_nano=NOW + SECOND)
    other = only(CHAT, 2)
    [elsewhere] = rows(decoded(traces(span(CHAT)), tenant="u"), CALL)

    assert first["key"] == again["key"]
    assert len({first["key"], other["key"], elsewhere["key"]}) == 3


def test_an_inner_span_of_the_same_call_counts_once_and_gives_what_it_knows() -> None:
    outer = span(CHAT, 1)
    inner = span({**CHAT, "gen_ai.usage.input_tokens": 12}, 2, parent_span_id=outer.span_id)
    innermost = span({**CHAT, "gen_ai.usage.output_tokens": 3}, 3, parent_span_id=inner.span_id)

    result = decoded(traces(innermost, inner, outer))

    assert column(result, "span_id", CALL) == [outer.span_id]
    assert (column(result, "input_tokens", CALL), column(result, "output_tokens", CALL)) == ([12.0], [3.0])
    assert (result.items, len(result.keys)) == (3, 1)


@pytest.mark.parametrize(
    ("told", "fields"),
    [
        pytest.param({**CHAT, "gen_ai.request.model": "other"}, {}, id="another model"),
        pytest.param({**CHAT, "gen_ai.operation.name": "embeddings"}, {}, id="another operation"),
        pytest.param(CHAT, {"trace_id": bytes([7] * 16)}, id="another trace"),
        pytest.param({**CHAT, "ml.model.kind": "tabular"}, {}, id="not generative"),
    ],
)
def test_a_call_inside_another_call_counts(told: dict[str, Any], fields: dict[str, Any]) -> None:
    outer = span(CHAT, 1)

    assert len(decoded(traces(outer, span(told, 2, parent_span_id=outer.span_id, **fields))).keys) == 2


def test_spans_that_are_each_others_parents_are_kept() -> None:
    one, other, own = span(CHAT, 1), span(CHAT, 2), span(CHAT, 3)
    one.parent_span_id, other.parent_span_id, own.parent_span_id = other.span_id, one.span_id, own.span_id

    assert len(decoded(traces(one, other, own)).keys) == 3


def test_a_chain_of_inner_spans_is_folded_in_one_pass() -> None:
    chain = [span(CHAT, number, parent_span_id=(number - 1).to_bytes(8, "big")) for number in range(1, 20_001)]

    assert column(decoded(traces(*chain)), "span_id", CALL) == [chain[0].span_id]


def test_spans_of_several_resources_keep_their_origin() -> None:
    request = traces(span(CHAT, 1), span({}, 2))
    request.MergeFrom(traces(span({}, 3), resource={"service.name": "none"}))
    request.MergeFrom(traces(span(CHAT, 4), span(CHAT, 5), resource={"service.name": "search"}))

    assert column(decoded(request), "service", CALL) == ["shop", "search", "search"]
