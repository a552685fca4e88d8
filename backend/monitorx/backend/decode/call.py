"""The walk over spans: those that are inferences, as a list a column."""

from typing import Final, NamedTuple

from monitorx.backend.decode.alias import NOT_INFERENCE, SPAN_FIELDS, Field, operation_name
from monitorx.backend.decode.label import LLM, TABULAR
from monitorx.backend.decode.origin import Origin
from monitorx.backend.decode.sampling import Weights
from monitorx.backend.decode.told import Tellings, Told, key_in
from monitorx.backend.decode.view import View

_TEXTS: Final = slice(0, Field.ERROR_TYPE + 1)  # the slots that hold words; measures stand after them
_EMPTY: Final[list[Told | None]] = [None] * len(SPAN_FIELDS)
_MODEL_OR_OPERATION: Final = Field.ML_OPERATION  # the last of the slots that make a span an inference
_ERROR: Final = 2  # Status.code


class Words(NamedTuple):
    """The text columns of a call."""

    model: str | None
    version: str | None
    kind: str
    operation: str
    framework: str | None
    error_type: str | None


class Calls:
    """
    Inferences of one request, in the order in which they came.

    Attributes:
        words: Index into `all_words`, a call.
        measures: Columns of numbers by their name in the schema.
    """

    def __init__(self, tellings: Tellings, weights: Weights) -> None:
        self.trace_ids: list[bytes] = []
        self.span_ids: list[bytes] = []
        self.parents: list[bytes] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.weights: list[float] = []
        self.words: list[int] = []
        self.all_words: list[Words] = []
        self.measures: dict[str, list[float | None]] = {
            name: [] for name in ("input_tokens", "output_tokens", "cost_usd", "batch_size", "ttft_s")
        }
        self._tellings = tellings
        self._weight = weights.of
        self._begins: list[tuple[Origin, int]] = []
        self._word_code: dict[tuple[object, ...], int] = {}

    def begin(self, origin: Origin) -> None:
        """What follows comes from *origin*."""
        self._begins.append((origin, len(self.span_ids)))

    def runs(self) -> list[tuple[Origin, int]]:
        """The origins, each with the number of calls that came from it."""
        ends = [*(start for _, start in self._begins[1:]), len(self.span_ids)]
        return [(origin, end - start) for (origin, start), end in zip(self._begins, ends, strict=True)]

    def add(self, span: View) -> None:
        """Keep *span* where it is an inference."""
        known, fields = self._tellings.known.get, self._tellings.fields.get
        found = _EMPTY.copy()
        is_candidate = False
        for raw in span.attributes:
            told = known(raw)
            if told is None:
                place = fields(key_in(raw))
                told = self._tellings.learn(raw, *place) if place else None
                if told is None:
                    continue
            field = told.field
            before = found[field]
            if before is None or told.rank < before.rank:
                found[field] = told
            if field <= _MODEL_OR_OPERATION:
                is_candidate = True
        if is_candidate:
            self._append(span, found)

    def _append(self, span: View, found: list[Told | None]) -> None:
        told = (*found[_TEXTS], span.status.code == _ERROR)
        code = self._word_code.get(told)
        if code is None:
            code = self._word_code[told] = self._new_words(found, is_error=told[-1] is True)
        if code < 0:
            return
        self.words.append(code)
        self.trace_ids.append(span.trace_id)
        self.span_ids.append(span.span_id)
        self.parents.append(span.parent_span_id)
        self.starts.append(span.start_time_unix_nano)
        self.ends.append(span.end_time_unix_nano)
        state = span.trace_state
        self.weights.append(self._weight(state) if state else 1.0)
        for values, measure in zip(self.measures.values(), found[Field.INPUT_TOKENS :], strict=True):
            values.append(None if measure is None else measure.number)

    def _new_words(self, found: list[Told | None], *, is_error: bool) -> int:
        words = _words(found, is_error=is_error)
        if words.operation in NOT_INFERENCE:
            return -1
        self.all_words.append(words)
        return len(self.all_words) - 1


def _words(found: list[Told | None], *, is_error: bool) -> Words:
    model, response, ml_model, operation, ml_operation, version, kind, framework, error = (
        None if told is None else told.text for told in found[_TEXTS]
    )
    is_generative = model is not None or response is not None or operation is not None
    told = found[Field.OPERATION]
    if told is not None:
        operation = operation_name(told.text, told.rank)
    return Words(
        model=model or response or ml_model,
        version=version,
        kind=kind or (LLM if is_generative else TABULAR),
        operation=operation or ml_operation or ("chat" if is_generative else "predict"),
        framework=framework,
        error_type=error or ("error" if is_error else None),
    )
