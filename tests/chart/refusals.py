"""What would lose money, or could not start, is refused with a message that says what to do."""

import chart
from chart import at, merged
from combinations import CALLERS, PRODUCTION

SQLITE = merged(PRODUCTION, at("ledger.type", "sqlite"))
SANDBOX = at("sunmi.environment", "sandbox")
MESH = {"callers": {"list": []}, "mesh": {"callers": CALLERS}}
TILL = {"name": "till", "tokensKey": "till", "rpcs": ["Query", "Refund"]}

# What is tried, and what has to be in what is said.
REFUSALS = [
    ("two replicas on SQLite", merged(SQLITE, at("replicaCount", 2)), ["replicaCount is 2", "ledger.type is sqlite", "ledger.type=postgresql"]),
    ("an autoscaler on SQLite", merged(SQLITE, at("autoscaling.enabled", True)), ["autoscaling.enabled is true", "ledger.type=postgresql"]),
    ("two replicas in memory", merged(SANDBOX, at("replicaCount", 2)), ["ledger.type is memory"]),
    ("SQLite without a volume", merged(SQLITE, at("ledger.persistence.enabled", False)), ["ledger.persistence.enabled=true"]),
    ("production without a ledger", merged(PRODUCTION, at("ledger.type", "")), ["ledger.type is not set", "money may move", "ledger.type=postgresql"]),
    ("production with a ledger in memory", merged(PRODUCTION, at("ledger.type", "memory")), ["ledger.type is memory", "money may move"]),
    ("PostgreSQL without its URL", merged(PRODUCTION, at("ledger.postgresql.existingSecret", "")), ["ledger.postgresql.existingSecret is not set", "(uri)"]),
    ("production without credentials", merged(PRODUCTION, at("sunmi.credentials", [])), ["sunmi.credentials is empty", "sunmi.existingSecret"]),
    ("a credential without a Secret", merged(PRODUCTION, at("sunmi.existingSecret", "")), ["sunmi.credentials[0] has no Secret", "app-1"]),
    ("a key in the values", merged(PRODUCTION, at("sunmi.credentials", [{"appId": "a", "appKey": "k"}])), ["sunmi.credentials[0].appKey", "Secret"]),
    ("production without a word on callers", merged(PRODUCTION, at("callers.list", [])), ["Nobody said who may call", "callers.trust=network"]),
    ("a stand-in of which nobody said that no money moves", merged(PRODUCTION, {"callers": {"list": []}, "sunmi": {"environment": "custom", "baseUrl": "http://s.example.com"}}), ["Nobody said who may call"]),
    ("client certificates that callers need not have", merged(PRODUCTION, {"callers": {"list": []}, "tls": {"enabled": True, "existingSecret": "t", "clientCA": {"enabled": True, "certificates": "optional"}}}), ["Nobody said who may call"]),
    ("callers listed, and the network trusted", merged(PRODUCTION, at("callers.trust", "network")), ["callers.trust and callers.list"]),
    ("a caller that nothing tells", merged(PRODUCTION, at("callers.list", [{"name": "till", "rpcs": ["Query"]}])), ["callers.list[0] (till)", "tokensKey"]),
    ("a caller by its certificate without mutual TLS", merged(PRODUCTION, at("callers.list", [{"name": "till", "rpcs": ["Query"], "uris": ["spiffe://a"]}])), ["tls.clientCA.enabled=true"]),
    ("a caller's tokens without a Secret", merged(PRODUCTION, at("callers.existingSecret", "")), ["callers.existingSecret"]),
    ("more at once than on one day", merged(PRODUCTION, at("callers.list", [{**TILL, "maxRefundMinor": 200, "maxRefundPerDayMinor": 100}])), ["maxRefundMinor 200", "maxRefundPerDayMinor 100"]),
    ("a day's bound that is forgotten", merged(PRODUCTION, at("callers.list", [{**TILL, "maxRefundPerDayMinor": 100}]), at("config.refund.retention", "1d 23h")), ["config.refund.retention (1d 23h)", "2d"]),
    ("a grace period below the drain", merged(PRODUCTION, at("terminationGracePeriodSeconds", 60)), ["terminationGracePeriodSeconds is 60", "may take 80 seconds", "1m 10s"]),
    ("a grace period that the hook eats up", merged(PRODUCTION, {"terminationGracePeriodSeconds": 85, "lifecycle": {"preStop": {"sleep": {"seconds": 10}}}}), ["may take 90 seconds", "10s of lifecycle.preStop"]),
    ("a drain that cuts refunds off", merged(PRODUCTION, at("config.shutdown.drain", "30s")), ["config.shutdown.drain is 30s", "(1m)"]),
    ("a deadline longer than a refund works", merged(PRODUCTION, at("config.deadlines.max", "2m")), ["config.deadlines.max is 2m", "config.refund.ceiling"]),
    ("play money in production", merged(PRODUCTION, at("sunmi.money", "play")), ["sunmi.money is play"]),
    ("real money in the sandbox", merged(SANDBOX, at("sunmi.money", "real")), ["sunmi.money is real"]),
    ("a mesh's callers in a dry run", merged(PRODUCTION, {"callers": {"list": []}, "mesh": {"type": "istio-sidecar", "callers": CALLERS, "istio": {"authorizationPolicy": {"dryRun": True}}}}), ["Nobody said who may call", "dry run"]),
    ("a mesh's callers whom nobody checks", merged(PRODUCTION, {"callers": {"list": []}, "mesh": {"type": "istio-ambient", "callers": CALLERS, "istio": {"authorizationPolicy": {"enabled": False}}}}), ["Nobody said who may call"]),
    ("an unknown mesh", merged(PRODUCTION, at("mesh.type", "istio")), ["none", "istio-sidecar", "istio-ambient", "linkerd"]),
    ("callers of a mesh without one", merged(PRODUCTION, MESH), ["mesh.callers is set but mesh.type is none"]),
    ("methods in ambient without a waypoint", merged(PRODUCTION, {"callers": {"list": []}, "mesh": {"type": "istio-ambient", "callers": [{"serviceAccount": "till", "rpcs": ["Query"]}]}}), ["mesh.callers[0].rpcs", "mesh.istio.waypoint.name", "till could refund"]),
    ("Envoy's word in Linkerd", merged(PRODUCTION, {"callers": {"list": [], "trust": "envoy"}, "mesh": {"type": "linkerd"}}), ["callers.trust=linkerd"]),
    ("Linkerd's word in Istio", merged(PRODUCTION, {"callers": {"list": [], "trust": "linkerd"}, "mesh": {"type": "istio-sidecar"}}), ["callers.trust=envoy"]),
    ("Envoy's word without an Envoy", merged(PRODUCTION, {"callers": {"list": [], "trust": "envoy"}, "mesh": {"type": "istio-ambient"}}), ["callers.trust=network"]),
    ("TLS that the mesh cannot read", merged(PRODUCTION, {"tls": {"enabled": True, "existingSecret": "t"}, "mesh": {"type": "istio-sidecar"}}), ["tls.enabled=false"]),
    ("TLS without a certificate", merged(PRODUCTION, at("tls.enabled", True)), ["tls.existingSecret is not set"]),
    ("client certificates without TLS", merged(PRODUCTION, at("tls.clientCA.enabled", True)), ["tls.enabled is false"]),
    ("a stand-in without an address", merged(PRODUCTION, at("sunmi.environment", "custom")), ["sunmi.baseUrl is not set"]),
    ("an address that would not be used", merged(PRODUCTION, at("sunmi.baseUrl", "https://s.example.com")), ["sunmi.environment=custom"]),
    ("two monitors", merged(PRODUCTION, {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}), ["scraped twice"]),
    ("a ServiceMonitor without a Service", merged(PRODUCTION, {"serviceMonitor": {"enabled": True}, "metrics": {"service": {"enabled": False}}}), ["no Service to scrape"]),
    ("gRPC probes over TLS", merged(PRODUCTION, {"tls": {"enabled": True, "existingSecret": "t"}, "probes": {"type": "grpc"}}), ["probes.type=http"]),
    ("gRPC probes in Linkerd", merged(PRODUCTION, {"mesh": {"type": "linkerd"}, "probes": {"type": "grpc"}}), ["probes.type=http"]),
    ("a route without a gateway", merged(PRODUCTION, at("grpcRoute.enabled", True)), ["grpcRoute.parentRefs"]),
    # The schema.
    ("a value that is not there", merged(PRODUCTION, at("replicas", 2)), ["replicas"]),
    ("one deep down", merged(PRODUCTION, at("ledger.postgresql.url", "postgres://u:p@h/d")), ["url"]),
    ("a setting of the server that is not there", merged(PRODUCTION, at("config.limits.conections", 5)), ["conections"]),
    ("a setting that the chart makes itself", merged(PRODUCTION, at("config.shutdown.grace", "5s")), ["grace"]),
    ("a text for a number", merged(PRODUCTION, at("replicaCount", "two")), ["replicaCount"]),
    ("a duration without a unit", merged(PRODUCTION, at("config.shutdown.drain", "70")), ["drain"]),
    ("a method that is not there", merged(PRODUCTION, at("callers.list", [{"name": "a", "tokensKey": "a", "rpcs": ["Pay"]}])), ["rpcs"]),
    ("an alert that is not there", merged(PRODUCTION, at("prometheusRule.alerts.SunmiTradeNothing.enabled", True)), ["SunmiTradeNothing"]),
    ("an environment that is not there", merged(PRODUCTION, at("sunmi.environment", "prod")), ["production"]),
]


def run(report, pool):
    report.section("Refusals")

    def said(version, values):
        try:
            chart.render(values, version)
        except chart.Refused as error:
            return str(error)
        return None

    def attempt(it):
        name, values, words = it
        faults = []
        for version in chart.HELMS:
            error = said(version, values)
            if error is None:
                faults.append(f"{version}: is not refused")
            else:
                faults += [f"{version}: {word!r} is not in {error}" for word in words if word not in error]
        return name, faults

    for name, faults in pool.map(attempt, REFUSALS):
        report.check(f"refused: {name}", faults)
    everything_at_once(report, said)
    past_the_schema(report)


def everything_at_once(report, said):
    error = said(next(iter(chart.HELMS)), {"terminationGracePeriodSeconds": 10, "replicaCount": 4})
    words = ["replicaCount is 4", "ledger.type is not set", "sunmi.credentials is empty", "Nobody said who may call", "terminationGracePeriodSeconds is 10"]
    report.check("all that is refused is told at once", [word for word in words if word not in (error or "")])


def past_the_schema(report):
    """Whoever switches the schema off is still told of an unknown mesh."""
    for version in chart.HELMS:
        try:
            chart.helm(version, "template", "--kube-version", chart.KUBERNETES, "--skip-schema-validation", "a", str(chart.CHART),
                       "--set", "mesh.type=consul,sunmi.environment=sandbox")
            faults = ["is not refused"]
        except chart.Refused as error:
            faults = [] if 'mesh.type is "consul"' in str(error) else [str(error)]
        report.check(f"refused by {version} without the schema: an unknown mesh", faults)
