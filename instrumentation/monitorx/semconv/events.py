"""Event names of OTLP log records."""

from typing import Final

GEN_AI_EVALUATION_RESULT: Final = "gen_ai.evaluation.result"
ML_EVALUATION_RESULT: Final = "ml.evaluation.result"
ML_FEEDBACK: Final = "ml.feedback"
