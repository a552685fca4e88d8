"""
What others call the things that we read: the one table of attribute keys and metric names.

A field may be told by several keys; the one listed first wins wherever it stands in the message. Sources: the OTel
GenAI conventions and their deprecated names, OpenInference (`llm.*`, `openinference.*`), OpenLLMetry (`llm.*`,
`traceloop.*`), vLLM (`gen_ai.latency.*`), and the renames proposed for the GenAI metrics.
"""

from enum import IntEnum, auto
from typing import Final

from monitorx.semconv import attributes as key
from monitorx.semconv import metrics


class Field(IntEnum):
    """What an attribute tells. The members number the slots of a span while it is read."""

    MODEL = 0
    RESPONSE_MODEL = auto()
    ML_MODEL = auto()
    OPERATION = auto()
    ML_OPERATION = auto()
    VERSION = auto()
    KIND = auto()
    FRAMEWORK = auto()
    ERROR_TYPE = auto()
    INPUT_TOKENS = auto()
    OUTPUT_TOKENS = auto()
    COST = auto()
    BATCH_SIZE = auto()
    TTFT = auto()
    FEATURE = auto()
    ROLE = auto()
    CENTER = auto()
    ANCHOR = auto()
    PREDICTION = auto()
    LABEL = auto()
    SCORE = auto()


_KEYS: Final[dict[Field, tuple[str, ...]]] = {
    Field.MODEL: (
        key.GEN_AI_REQUEST_MODEL,
        "llm.request.model",
        "llm.model_name",
        "embedding.model_name",
        "reranker.model_name",
    ),
    Field.RESPONSE_MODEL: (key.GEN_AI_RESPONSE_MODEL, "llm.response.model"),
    Field.ML_MODEL: (key.ML_MODEL_NAME,),
    Field.OPERATION: (
        key.GEN_AI_OPERATION_NAME,
        "llm.request.type",
        "openinference.span.kind",
        "traceloop.span.kind",
    ),
    Field.ML_OPERATION: (key.ML_OPERATION_NAME,),
    Field.VERSION: (key.ML_MODEL_VERSION,),
    Field.KIND: (key.ML_MODEL_KIND,),
    Field.FRAMEWORK: (
        key.GEN_AI_PROVIDER_NAME,
        "gen_ai.system",
        "llm.provider",
        "llm.system",
        "llm.vendor",
        key.ML_FRAMEWORK_NAME,
    ),
    Field.ERROR_TYPE: (key.ERROR_TYPE,),
    Field.INPUT_TOKENS: (
        key.GEN_AI_USAGE_INPUT_TOKENS,
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
        "usage.prompt_tokens",
    ),
    Field.OUTPUT_TOKENS: (
        key.GEN_AI_USAGE_OUTPUT_TOKENS,
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
        "usage.completion_tokens",
    ),
    Field.COST: ("gen_ai.usage.cost", "llm.cost.total", "operation.cost"),
    Field.BATCH_SIZE: (key.ML_REQUEST_BATCH_SIZE,),
    Field.TTFT: (  # seconds, all of them
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
        "gen_ai.latency.time_to_first_token",
    ),
    Field.FEATURE: (key.ML_FEATURE_NAME,),
    Field.ROLE: (key.ML_FEATURE_ROLE,),
    Field.CENTER: (key.ANCHOR_CENTER,),
    Field.ANCHOR: (key.ANCHOR_SCALE,),
    Field.PREDICTION: (key.ML_PREDICTION_ID, "gen_ai.response.id"),
    Field.LABEL: ("gen_ai.evaluation.score.label", "ml.evaluation.score.label", "ml.feedback.label"),
    Field.SCORE: ("gen_ai.evaluation.score.value", "ml.evaluation.score.value", "ml.feedback.score"),
}

FIELD_OF: Final = {name: (field, rank) for field, names in _KEYS.items() for rank, name in enumerate(names)}

# The fields that a span may fill; other keys of the table speak of points and events only.
SPAN_FIELDS: Final = range(Field.TTFT + 1)

METRIC_NAME: Final = {
    "gen_ai.client.inference.duration": metrics.GEN_AI_OPERATION_DURATION,
    "gen_ai.client.inference.operation.duration": metrics.GEN_AI_OPERATION_DURATION,
    "gen_ai.client.inference.token.usage": metrics.GEN_AI_TOKEN_USAGE,
}

# OpenInference writes its kinds in capitals, OpenLLMetry in small letters: both are compared in small letters.
_OPERATION_NAME: Final = {
    "llm": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
    "reranker": "rerank",
}

# Operations around a model call, not model calls: agents, tools, memory, and the steps of a workflow.
NOT_INFERENCE: Final = frozenset(
    {
        *("create_agent", "invoke_agent", "execute_tool", "invoke_workflow", "retrieval", "plan"),
        *("create_memory", "update_memory", "upsert_memory", "delete_memory", "search_memory"),
        *("create_memory_store", "delete_memory_store"),
        *("agent", "tool", "chain", "retriever", "guardrail", "evaluator", "prompt", "decision"),  # OpenInference
        *("workflow", "task"),  # OpenLLMetry
    }
)


def operation_name(value: str, rank: int) -> str:
    """The operation that a key of this *rank* tells: our own key's word as it is, a foreign one translated."""
    if rank == 0:
        return value
    word = value.lower()
    return _OPERATION_NAME.get(word, word)
