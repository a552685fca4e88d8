"""
Attribute keys of spans, data points and events.

`gen_ai.*`, `service.*` and `error.type` are OpenTelemetry's own; `ml.*` is the convention that MonitorX keeps for
inference that is not generative (docs/reference/semantic-conventions.md); `monitorx.*` says how a value was measured.
"""

from typing import Final

METRIC_OVERFLOW: Final = "otel.metric.overflow"
# Of inferences: buffer_full | fold_failed | too_old; of values: see the table of metrics.
DROP_REASON: Final = "monitorx.drop.reason"

ERROR_TYPE: Final = "error.type"
SERVICE_NAME: Final = "service.name"
SERVICE_INSTANCE_ID: Final = "service.instance.id"

ML_OPERATION_NAME: Final = "ml.operation.name"
ML_FRAMEWORK_NAME: Final = "ml.framework.name"
ML_FRAMEWORK_VERSION: Final = "ml.framework.version"
ML_MODEL_NAME: Final = "ml.model.name"
ML_MODEL_VERSION: Final = "ml.model.version"
ML_MODEL_CLASS: Final = "ml.model.class"
ML_MODEL_KIND: Final = "ml.model.kind"  # tabular | vision | llm
ML_TASK_TYPE: Final = "ml.task.type"
ML_REQUEST_BATCH_SIZE: Final = "ml.request.batch.size"
ML_REQUEST_FEATURE_COUNT: Final = "ml.request.feature.count"
ML_REQUEST_INPUT_SHAPE: Final = "ml.request.input.shape"
ML_DEVICE_TYPE: Final = "ml.device.type"
ML_FEATURE_NAME: Final = "ml.feature.name"
ML_FEATURE_ROLE: Final = "ml.feature.role"
ML_FEATURE_CATEGORY: Final = "ml.feature.category"
ML_OUTPUT_CLASS: Final = "ml.output.class"
ML_PREDICTION_ID: Final = "ml.prediction.id"

ANCHOR_CENTER: Final = "monitorx.anchor.center"
ANCHOR_SCALE: Final = "monitorx.anchor.scale"

GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - the name of a key, not a secret
GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_USAGE_COST: Final = "gen_ai.usage.cost"  # US dollars
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"  # seconds
