"""Rules: expressions over windows, read from a file, evaluated to verdicts. They keep no state; alerting does."""

from monitorx.backend.rule.evaluate import absent, evaluate
from monitorx.backend.rule.expression import Expression, parse
from monitorx.backend.rule.rule import Rule, longest_window, observation, policy, watched_metrics
from monitorx.backend.rule.rulefile import RuleFile, load
from monitorx.backend.rule.token import ExpressionError
from monitorx.backend.rule.verdict import Verdict

__all__ = [
    "Expression",
    "ExpressionError",
    "Rule",
    "RuleFile",
    "Verdict",
    "absent",
    "evaluate",
    "load",
    "longest_window",
    "observation",
    "parse",
    "policy",
    "watched_metrics",
]
