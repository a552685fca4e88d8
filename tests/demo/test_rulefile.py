import yaml

from monitorx.backend.demo.rulefile import demo_rules


def test_all_alerts_go_to_both_readers() -> None:
    document = yaml.safe_load(demo_rules(webhook="http://127.0.0.1:1/alerts", smtp_port=2525))

    assert [rule["alert"] for rule in document["groups"][0]["rules"]] == ["ModelIsSlow", "ModelFails", "FeatureDrifts"]
    assert document["groups"][0]["rules"][0]["annotations"] == {
        "summary": "{{ $labels.model }}: p95 is {{ $value | humanizeDuration }}"
    }
    assert document["route"]["receiver"] == document["receivers"][0]["name"]
    assert document["receivers"][0]["webhook_configs"][0]["url"] == "http://127.0.0.1:1/alerts"
    assert document["receivers"][0]["email_configs"][0]["smarthost"] == "127.0.0.1:2525"
