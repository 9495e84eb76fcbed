"""The alerts: of metrics that there are, each with a switch, and firing when and only when they should."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

import yaml

import chart
from chart import CHART, at, merged, one
from combinations import PRODUCTION
from firing import CASES, cases
from metrics import documented, named


def run(report):
    report.section("Alerts")
    source = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())["prometheusRule"]["alerts"]
    report.check("each has its values", set(source) ^ set(values))
    rules = rendered({})
    report.check("all are on by default", set(source) ^ {it["alert"] for it in rules})
    known = documented()
    report.check("they are of metrics that there are", [f"{it['alert']}: {named(it['expr']) - known}" for it in rules if named(it["expr"]) - known])
    report.check("they are of this release alone", [it["alert"] for it in rules if 'namespace="payments",job="shop-sunmi-trade"' not in it["expr"]])
    switches(report, sorted(source))
    instances(report)
    literal(report)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rules.json"
        file.write_text(json.dumps({"groups": [{"name": "sunmi-trade", "rules": rules}]}))
        promtool(report, "promtool check rules", ["check", "rules", str(file)])
        tests = Path(folder) / "tests.json"
        tests.write_text(json.dumps(cases()))
        promtool(report, "promtool test rules", ["test", "rules", str(tests)])
    tried = {f"SunmiTrade{alert}" for alert, _, fires, quiet in CASES if fires and quiet}
    report.check("each is tried", set(source) - tried)
    page = (CHART.parents[1] / "docs/deployment.md").read_text()
    report.check("each has a heading in docs/deployment.md", set(source) ^ set(re.findall(r"^### (SunmiTrade\w+)$", page, re.M)))


def instances(report):
    """Two of one parent chart, and of one release, are told apart by monitors and alerts alike."""
    for kind in ("serviceMonitor", "podMonitor"):
        jobs = []
        for name in ("", "second"):
            objects = chart.render(merged(PRODUCTION, at("nameOverride", name), at("prometheusRule.enabled", True), at(kind, {"enabled": True, "relabelings": [{"targetLabel": "cluster", "replacement": "a"}]})))
            spec = one(objects, kind[0].upper() + kind[1:])["spec"]
            endpoint = (spec.get("endpoints") or spec.get("podMetricsEndpoints"))[0]
            first, *more = endpoint["relabelings"]
            rule = next(it for it in one(objects, "PrometheusRule")["spec"]["groups"][0]["rules"] if it["alert"] == "SunmiTradeAbsent")
            labelled = first["targetLabel"] == "job" and f'job="{first["replacement"]}"' in rule["expr"] and len(more) == 1
            jobs.append(first["replacement"] if labelled else None)
        report.check(f"{kind}: two instances of one release are two jobs", [] if None not in jobs and len(set(jobs)) == 2 else [jobs])


def literal(report):
    rules = [{"alert": "Mine", "expr": "up == 0", "annotations": {"summary": "{{ $value }} of {{ $labels.pod }}"}}]
    for version in chart.HELMS:
        values = merged(PRODUCTION, at("prometheusRule", {"enabled": True, "additionalRules": rules}))
        last = one(chart.render(values, version), "PrometheusRule")["spec"]["groups"][0]["rules"][-1]
        report.check(f"{version}: additional rules are taken as they are", [] if last == rules[0] else [last])


def rendered(change):
    values = merged(PRODUCTION, at("prometheusRule.enabled", True), at("prometheusRule.alertLabels", {"team": "payments"}), at("prometheusRule", change))
    return one(chart.render(values), "PrometheusRule")["spec"]["groups"][0]["rules"]


def switches(report, names):
    off = rendered({"alerts": {name: {"enabled": False} for name in names[1:]}})
    report.check("each can be switched off", [] if [it["alert"] for it in off] == names[:1] else [str(off)])
    set_ = {"threshold": 7, "for": "9m", "severity": "page", "labels": {"area": "refunds"}}
    changed = next(it for it in rendered({"alerts": {names[0]: set_}, "runbookUrl": "https://r.example.com", "selector": 'job="other"'}) if it["alert"] == names[0])
    expected = {
        "expr": changed["expr"].endswith(" 7") and 'job="other"' in changed["expr"],
        "for": changed["for"] == "9m",
        "labels": changed["labels"] == {"severity": "page", "area": "refunds", "team": "payments"},
        "runbook": changed["annotations"]["runbook_url"] == f"https://r.example.com#{names[0].lower()}",
    }
    report.check("and changed", [key for key, holds in expected.items() if not holds])


def promtool(report, name, arguments):
    ran = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    report.check(name, [] if ran.returncode == 0 else (ran.stdout + ran.stderr).splitlines())
