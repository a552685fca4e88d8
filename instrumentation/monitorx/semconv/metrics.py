"""Metric names, each with its instrument and unit in the table of docs/reference/semantic-conventions.md."""

from typing import Final

INFERENCE_DURATION: Final = "ml.inference.duration"  # histogram, s
INFERENCE_BATCH_SIZE: Final = "ml.inference.batch.size"  # histogram, {sample}
INFERENCE_SAMPLES: Final = "ml.inference.samples"  # counter, {sample}

FEATURE_DISTRIBUTION: Final = "ml.feature.distribution"  # exponential histogram, 1, delta
FEATURE_MISSING: Final = "ml.feature.missing"  # counter, {value}
FEATURE_NONFINITE: Final = "ml.feature.nonfinite"  # counter, {value}
DRIFT_SCORE: Final = "ml.drift.score"  # gauge, 1: from the backend, read by rules

GEN_AI_OPERATION_DURATION: Final = "gen_ai.client.operation.duration"  # histogram, s
GEN_AI_TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - the name of a metric; histogram, {token}

DROPPED: Final = "monitorx.inferences.dropped"  # counter, {inference}: what an attached process could not report
VALUES_DROPPED: Final = "monitorx.values.dropped"  # counter, {value}: what of inputs and scores was not folded
UP: Final = "monitorx.up"  # gauge, 1: the heartbeat of an attached process
