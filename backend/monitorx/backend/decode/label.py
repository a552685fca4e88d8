"""What the attributes of a data point or an event say about a model."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from monitorx.backend.decode.alias import FIELD_OF, NOT_INFERENCE, Field, operation_name
from monitorx.backend.decode.attribute import Value, cut

LLM: Final = "llm"
TABULAR: Final = "tabular"  # what a model is that speaks ml.* and does not say its kind


class Labels(NamedTuple):
    """The columns that speak of a model; None where the attributes are silent."""

    model: str | None = None
    version: str | None = None
    kind: str | None = None
    operation: str | None = None
    error_type: str | None = None


NO_LABELS: Final = Labels()
Found = dict[Field, tuple[int, Value]]


def fields_in(attributes: Mapping[str, Value]) -> Found:
    """The known fields with their rank and value: of several keys for one field the first of the alias table wins."""
    found: Found = {}
    for name, value in attributes.items():
        known = FIELD_OF.get(name)
        if known is None or value is None or value == "":
            continue
        field, rank = known
        if field not in found or rank < found[field][0]:
            found[field] = (rank, value)
    return found


def labels_of(found: Found) -> Labels:
    """
    Columns from fields.

    Where the operation is not a model's (an agent, a tool), kind is None: such points count for no model.
    """
    if not found:
        return NO_LABELS
    model = text_of(found, Field.MODEL) or text_of(found, Field.RESPONSE_MODEL) or text_of(found, Field.ML_MODEL)
    rank, value = found.get(Field.OPERATION, (0, None))
    operation = operation_name(cut(str(value)), rank) if value is not None else text_of(found, Field.ML_OPERATION)
    return Labels(
        model=model,
        version=text_of(found, Field.VERSION),
        kind=_kind(found, operation),
        operation=operation,
        error_type=text_of(found, Field.ERROR_TYPE),
    )


def text_of(found: Found, field: Field) -> str | None:
    """The value of *field* as a text of bounded length."""
    value = found.get(field, (0, None))[1]
    return None if value is None or isinstance(value, bytes | list | dict) else cut(str(value))


def _kind(found: Found, operation: str | None) -> str | None:
    if operation in NOT_INFERENCE:
        return None
    told = text_of(found, Field.KIND)
    if told is not None:
        return told
    if Field.MODEL in found or Field.OPERATION in found or Field.RESPONSE_MODEL in found:
        return LLM
    return TABULAR if Field.ML_MODEL in found or Field.ML_OPERATION in found else None
