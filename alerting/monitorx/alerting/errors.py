"""
What can go wrong in alerting, where a caller acts on it. Bad files are `document.DocumentError`.

    AlertingError
    └── StateError    the state file cannot be used: damaged, not ours, or of a newer version; exit code 1
"""


class AlertingError(Exception):
    """Alerting cannot go on as asked, in words for the operator."""


class StateError(AlertingError):
    """The state file cannot be used."""
