"""The rules and routes that the demo's server runs with, as a file in the words of Prometheus and Alertmanager."""

from monitorx.backend.demo.story import DRIFT_ALERT, FAILING_ALERT, SLOW_ALERT

# Panes are ten seconds long: a window of one pane forgets a fault ten to twenty seconds after its end.
_TEXT = """\
groups:
  - name: demo
    rules:
      - alert: {slow}
        expr: p95(latency{{kind="llm"}}[10s]) > 300ms by (model)
        labels: {{severity: warning}}
        annotations:
          summary: "{{{{ $labels.model }}}}: p95 is {{{{ $value | humanizeDuration }}}}"
      - alert: {failing}
        expr: ratio(errors[10s], requests[10s]) > 10% by (model)
        labels: {{severity: critical}}
        annotations:
          summary: "{{{{ $labels.model }}}}: {{{{ $value | humanizePercentage }}}} of the calls fail"
      - alert: {drift}
        expr: max(drift_score[10s]) > 0 by (model, feature)
        labels: {{severity: warning}}
        annotations:
          summary: "{{{{ $labels.model }}}}: {{{{ $labels.feature }}}} is not what it was"

route:
  receiver: demo
  group_by: [alertname, model]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 1h

receivers:
  - name: demo
    webhook_configs:
      - url: {webhook}
        send_resolved: true
    email_configs:
      - to: oncall@example.com
        from: monitorx@example.com
        smarthost: 127.0.0.1:{smtp_port}
        require_tls: false
        send_resolved: true
"""


def demo_rules(*, webhook: str, smtp_port: int) -> str:
    """The YAML text, with alerts going to *webhook* and to the mailbox at *smtp_port*."""
    return _TEXT.format(slow=SLOW_ALERT, failing=FAILING_ALERT, drift=DRIFT_ALERT, webhook=webhook, smtp_port=smtp_port)
