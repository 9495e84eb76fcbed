"""The dashboards: valid, in step with what makes them, and of metrics that there are."""

import json
import subprocess
import tempfile

import chart
from chart import ROOT, at, find, merged
from combinations import PRODUCTION
from metrics import documented, named


def run(report):
    report.section("Dashboards")
    ran = subprocess.run([ROOT / ".ci/chart-dashboards", "--check"])
    report.check("they are what .ci/chart-dashboards makes", [] if ran.returncode == 0 else ["run it"])
    objects = chart.render(merged(PRODUCTION, at("dashboards", {"enabled": True, "annotations": {"grafana_folder": "Payments"}})))
    maps = [it for it in find(objects, "ConfigMap") if it["metadata"]["labels"].get("grafana_dashboard") == "1"]
    report.check("there are two", [] if len(maps) == 2 else [str(len(maps))])
    known = documented()
    for it in maps:
        (file, text), = it["data"].items()
        board = json.loads(text)
        queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
        report.check(f"{file}: its queries are of metrics that there are", [f"{query}: {named(query) - known}" for query in queries if not named(query) or named(query) - known])
        report.check(f"{file}: its queries are PromQL", not_promql(queries))
        report.check(f"{file}: its panels do not overlap", overlapping(board["panels"]))


def not_promql(queries):
    """What promtool says of queries, with Grafana's variables filled in."""
    filled = [query.replace("$__rate_interval", "5m") for query in queries]
    rules = {"groups": [{"name": "all", "rules": [{"record": f"query:{at}", "expr": query} for at, query in enumerate(filled)]}]}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(rules, file)
        file.flush()
        ran = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
    return [] if ran.returncode == 0 else [ran.stdout + ran.stderr]


def overlapping(panels):
    taken = {}
    for panel in panels:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in taken or x >= 24:
                    yield f"{panel['title']} at {x}, {y}"
                    return
                taken[x, y] = panel["id"]
