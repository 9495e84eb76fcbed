"""What is told after an installation: what the chosen way cannot promise, and where money could be lost."""

import json
import pathlib
import shutil
import tempfile

import chart
from chart import at, merged
from combinations import CALLERS, PRODUCTION


def run(report):
    report.section("NOTES")
    if "v4" not in "".join(chart.HELMS):
        return report.skip("NOTES", "no Helm 4")
    version = next(it for it in chart.HELMS if it.startswith("v4"))

    def told(*changes, words):
        out = shown(changes)
        return [word for word in ("port-forward service/shop-sunmi-trade", *words) if word not in out]

    def untold(*changes, words):
        out = shown(changes)
        return [word for word in words if word in out]

    def shown(changes):
        out = chart.helm(version, "install", "--dry-run=client", "--namespace", "payments", "shop", str(chart.CHART), "--values", "-",
                         stdin=json.dumps(merged(PRODUCTION, *changes)))
        return out[out.index("NOTES:"):]

    mesh = {"callers": {"list": []}}
    waypoint = {"mesh": {"type": "istio-ambient", "callers": CALLERS, "istio": {"waypoint": {"name": "way"}}}}
    report.check("NOTES tell what a waypoint cannot promise", told(mesh, waypoint, words=["pod's own address", "defaultHttpRetryPolicy"]))
    route = at("grpcRoute", {"enabled": True, "parentRefs": [{"name": "g"}]})
    report.check("NOTES tell what a GRPCRoute cannot promise", told(route, words=["no word for retries"]))
    report.check("NOTES tell of Linkerd's drain", told(mesh, {"mesh": {"type": "linkerd", "callers": CALLERS}}, words=["native sidecars"]))
    report.check("NOTES tell how not to lose replicas to an autoscaler", told(at("autoscaling.enabled", True), words=["AUTOSCALING"]))
    sqlite = at("ledger.type", "sqlite")
    report.check("NOTES tell how to move the ledger", told(words=["MOVING THE LEDGER: never by an upgrade alone", "replicaCount=0", "ledger.create=false"]))
    report.check("NOTES warn of a ledger that goes with the release", told(sqlite, at("ledger.persistence.keep", False), words=["WARNING: ledger.persistence.keep is false"]))
    report.check("and only then", untold(sqlite, words=["ledger.persistence.keep"]) + untold(sqlite, at("ledger.persistence", {"keep": False, "existingClaim": "mine"}), words=["ledger.persistence.keep"]))
    report.check("NOTES warn of pods that do not ask to be in the mesh", told(mesh, {"mesh": {"type": "linkerd", "inject": False, "callers": CALLERS}}, words=["WARNING: mesh.inject is false", "namespace payments"]))
    for word in ("envoy", "linkerd"):
        report.check(f"NOTES warn of {word}'s word without a mesh", told(mesh, at("callers.trust", word), words=[f"WARNING: callers.trust is {word}", "under any name"]))
    public = merged(mesh, {"callers": {"trust": "network", "trustPublic": True}, "service": {"type": "LoadBalancer"}})
    report.check("NOTES warn of a trusted network that is public", told(public, words=["WARNING: callers.trustPublic is true", "service.type=LoadBalancer"]))
    gateway = merged(mesh, route, {"mesh": {"type": "istio-sidecar", "callers": CALLERS}})
    report.check("NOTES tell of a gateway's identity", told(gateway, words=["GATEWAY:", "gateway's service account is in mesh.callers"]))
    report.check("NOTES tell what Linkerd's egress denies", told(mesh, {"mesh": {"type": "linkerd", "callers": CALLERS, "linkerd": {"egress": {"enabled": True}}}}, words=["denies all pods of namespace payments", "database"]))
    report.check("NOTES show a token where callers have one", told(words=['-H "authorization: Bearer $TOKEN"']) + untold(mesh, at("callers.trust", "network"), words=["Bearer"]))
    report.check("NOTES warn of a trusted network", told(mesh, at("callers.trust", "network"), words=["whoever reaches the pod may refund"]))
    report.check("NOTES warn of tokens in plain text", told(words=["plain text"]))
    upgrades(report)


def upgrades(report):
    """What is told after an upgrade, which needs a cluster: here an object shows it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "chart"
        shutil.copytree(chart.CHART, copy)
        shows = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}}
        (copy / "templates/shown.yaml").write_text(f'{json.dumps(shows)[:-1]}, "data": {{"notes": {{{{ include "sunmi-trade.notes" . | toJson }}}}}}}}\n')
        for version in chart.HELMS:
            for create, upgrade, warned in ((True, True, True), (True, False, False), (False, True, False)):
                out = chart.helm(version, "template", "--kube-version", chart.KUBERNETES, *(["--is-upgrade"] if upgrade else []), "shop", str(copy), "--show-only", "templates/shown.yaml",
                                 "--values", "-", stdin=json.dumps(merged(PRODUCTION, at("ledger.create", create))))
                found = "began with an EMPTY one" in out
                report.check(f"{version}: an upgrade={upgrade} with ledger.create={create} is warned of: {warned}", [] if found == warned and "MOVING THE LEDGER" in out else [out])
