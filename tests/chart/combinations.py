"""Switches together: every triple of them, in as few renderings as it takes."""

import itertools
import random

import chart
from chart import at, merged
from profiles import not_restricted, together
from validation import faults_of_all

PRODUCTION = {
    "sunmi": {"existingSecret": "keys", "credentials": [{"appId": "app-1"}]},
    "ledger": {"type": "postgresql", "postgresql": {"existingSecret": "database"}},
    "callers": {"existingSecret": "tokens", "list": [{"name": "till", "tokensKey": "till", "rpcs": ["Query", "Refund"]}]},
}
CALLERS = [{"serviceAccount": "till", "namespace": "shop", "rpcs": ["*"]}]

# Each with its choices, which are values that are laid on each other.
SWITCHES = {
    "mesh": [
        at("mesh.type", "none"),
        at("mesh.type", "istio-sidecar"),
        {"mesh": {"type": "istio-sidecar", "callers": CALLERS, "istio": {"sidecar": {"enabled": True}}}},
        {"mesh": {"type": "istio-ambient", "callers": CALLERS}},
        {"mesh": {"type": "istio-ambient", "callers": CALLERS, "istio": {"waypoint": {"name": "way"}}}},
        at("mesh.type", "linkerd"),
        {"mesh": {"type": "linkerd", "callers": CALLERS, "linkerd": {"egress": {"enabled": True}, "clientRoutes": {"enabled": True}, "rateLimit": {"enabled": True, "total": 9}}}},
    ],
    "environment": [
        {},
        at("sunmi.environment", "test"),
        {"sunmi": {"environment": "custom", "baseUrl": "http://sunmi.example.com:8080"}},
        {"sunmi": {"environment": "custom", "baseUrl": "https://sunmi.shop.svc"}},
        at("sunmi.proxy", "http://proxy.example.com:3128"),
    ],
    "tls": [{}, {"tls": {"enabled": True, "existingSecret": "tls"}},
            {"tls": {"enabled": True, "existingSecret": "tls", "clientCA": {"enabled": True, "certificates": "optional"}}}],
    "replicas": [{}, at("replicaCount", 3), at("autoscaling.enabled", True), at("replicaCount", 0)],
    "monitoring": [{}, at("serviceMonitor.enabled", True), at("podMonitor.enabled", True), at("metrics.service.enabled", False)],
    "rules": [{}, at("prometheusRule.enabled", True)],
    "dashboards": [{}, at("dashboards.enabled", True)],
    "network": [{}, at("networkPolicy.enabled", True), at("networkPolicy", {"enabled": True, "egress": {"enabled": False}})],
    "route": [{}, at("grpcRoute", {"enabled": True, "parentRefs": [{"name": "g"}], "health": True, "reflection": True})],
    "ingress": [{}, at("ingress", {"enabled": True, "hosts": ["a.example.com"]})],
    "headless": [{}, at("service.headless.enabled", True)],
    "account": [{}, at("serviceAccount", {"create": False, "name": "other"}), at("serviceAccount", {"create": False})],
    "tracing": [{}, at("config.tracing.endpoint", "http://collector:4317")],
    "budget": [{}, at("podDisruptionBudget.enabled", False), at("podDisruptionBudget.minAvailable", "50%")],
    "service": [{}, at("grpcServiceConfig.enabled", False)],
    "family": [{}, {"server": {"listenAddress": "[::]"}, "service": {"ipFamilyPolicy": "PreferDualStack"}}],
    "grace": [{}, at("terminationGracePeriodSeconds", 300), at("lifecycle.preStop.sleep.seconds", 15)],
}


def allowed(chosen):
    """Whether the chart takes these choices together: others are refused, which refusals.py tries."""
    mesh = SWITCHES["mesh"][chosen["mesh"]].get("mesh", {})
    reads = mesh["type"] in ("istio-sidecar", "linkerd") or mesh.get("istio", {}).get("waypoint")
    return not (reads and chosen["tls"])


def covering(seed=7):
    """Choices for all switches, so that every triple of choices that goes together is in one of them."""
    names = list(SWITCHES)
    wanted = {
        frozenset(zip(three, choice))
        for three in itertools.combinations(names, 3)
        for choice in itertools.product(*(range(len(SWITCHES[name])) for name in three))
        if allowed({"mesh": 0, "tls": 0, "monitoring": 0, **dict(zip(three, choice))})
    }
    dice = random.Random(seed)
    while wanted:
        best, covered = None, set()
        start = dict(next(iter(wanted)))
        for _ in range(30):
            chosen = {name: start.get(name, dice.randrange(len(SWITCHES[name]))) for name in names}
            if not allowed(chosen):
                chosen["mesh" if "tls" in start else "tls"] = 0
            triples = {frozenset(three) for three in itertools.combinations(chosen.items(), 3)}
            if best is None or len(triples & wanted) > len(covered):
                best, covered = chosen, triples & wanted
        wanted -= covered
        yield best


def run(report, pool):
    report.section("Switches together")
    all_chosen = list(covering())
    versions = list(chart.HELMS)

    def render(numbered):
        number, chosen = numbered
        values = merged(PRODUCTION, *(SWITCHES[name][choice] for name, choice in chosen.items()))
        try:
            objects = chart.render(values, versions[number % len(versions)])
        except chart.Refused as error:
            return [f"{chosen}: {error}"]
        faults = [*faults_of_all(objects), *together(objects, values), *not_restricted(objects), *retried(objects)]
        return [f"{chosen}: {fault}" for fault in faults]

    faults = [fault for found in pool.map(render, enumerate(all_chosen)) for fault in found]
    report.check(f"every triple of {len(SWITCHES)} switches, in {len(all_chosen)} renderings", faults)


def retried(objects):
    """Where Refund, or what is not named, could be sent again."""
    for service in chart.find(objects, "VirtualService"):
        for route in service["spec"]["http"]:
            reads = route["name"] == "reads"
            if not reads and route["retries"] != {"attempts": 0}:
                yield f"{route['name']} is tried again: {route['retries']}"
            if reads and set(route["retries"]["retryOn"].split(",")) - {"connect-failure", "refused-stream", "reset-before-request"}:
                yield f"reads are tried again {route['retries']}"
        if "match" in service["spec"]["http"][-1]:
            yield "what is not named has no route, and Istio's default"
    for it in objects:
        if any("retry" in key for key in it["metadata"].get("annotations", {})):
            yield f"{it['kind']} {it['metadata']['name']} has a word on retries"
