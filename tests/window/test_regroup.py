"""Windows answer the same whatever rules asked before."""

from datetime import timedelta

from monitorx.alerting.matcher import Matcher, Operator
from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoder
from monitorx.backend.window import Windows
from tests.support.otlp import spans

NOW = 1_759_996_800_000_000_000


def test_other_rules_get_the_same_answers() -> None:
    windows = Windows()
    body = spans([b"12345678"], model="fraud", end_ns=NOW).SerializeToString()
    for batch in Decoder().decode(Signal.TRACES, body, tenant="default", arrival_ns=NOW).batches:
        windows.add(batch, arrival_ns=NOW)

    def requests() -> dict[tuple[str, ...], float]:
        matchers = [Matcher("model", Operator.EQUAL, "fraud")]
        totals = windows.totals(matchers, ["model"], window=timedelta(minutes=1), now_ns=NOW + 1)
        return {group: each.requests for group, each in totals.items()}

    before = requests()
    windows.regroup()

    assert before == requests() == {("fraud",): 1.0}
    assert windows.known([], ["model"]) == {("fraud",)}
