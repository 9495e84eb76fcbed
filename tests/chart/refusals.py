"""What would lose money, or could not start, is refused with a message that says what to do."""

import chart
from chart import at, merged
from combinations import CALLERS, PRODUCTION

SQLITE = merged(PRODUCTION, at("ledger.type", "sqlite"))
SANDBOX = at("sunmi.environment", "sandbox")
MESH = {"callers": {"list": []}, "mesh": {"callers": CALLERS}}
TILL = {"name": "till", "tokensKey": "till", "rpcs": ["Query", "Refund"]}
MUTUAL = {"tls": {"enabled": True, "existingSecret": "t", "clientCA": {"enabled": True, "certificates": "optional"}}}
BYPASSES = [
    ("istio-sidecar", "podLabels", "sidecar.istio.io/inject", "false"),
    ("istio-sidecar", "podAnnotations", "sidecar.istio.io/inject", "false"),
    ("istio-sidecar", "podAnnotations", "traffic.sidecar.istio.io/excludeInboundPorts", "80,50051"),
    ("istio-sidecar", "podAnnotations", "traffic.sidecar.istio.io/includeInboundPorts", "9090"),
    ("istio-ambient", "podLabels", "istio.io/dataplane-mode", "none"),
    ("istio-ambient", "podAnnotations", "ambient.istio.io/bypass-inbound-capture", "true"),
    ("linkerd", "podAnnotations", "linkerd.io/inject", "disabled"),
    ("linkerd", "podAnnotations", "config.linkerd.io/skip-inbound-ports", "80,50000-50100"),
]
ROUTE = at("grpcRoute", {"enabled": True, "parentRefs": [{"name": "g"}]})
PUBLIC = [
    ("service.type=LoadBalancer", "network", "none", at("service.type", "LoadBalancer")),
    ("service.type=NodePort", "network", "none", at("service.type", "NodePort")),
    ("ingress.enabled", "network", "none", at("ingress", {"enabled": True, "hosts": ["a.example.com"]})),
    ("grpcRoute.enabled", "network", "istio-ambient", ROUTE),
    ("grpcRoute.enabled", "envoy", "istio-sidecar", ROUTE),
    ("grpcRoute.enabled", "linkerd", "none", ROUTE),
    ("mesh.istio.virtualService.gateways", "envoy", "istio-sidecar", at("mesh.istio.virtualService", {"gateways": ["i/public"], "hosts": ["a.example.com"]})),
]
OWNED = [
    ("SUNMI_TRADE__REFUND__LEDGER", "ledger.type"),
    ("SUNMI_TRADE__LISTEN", "server.listenAddress"),
    ("SUNMI_TRADE__ADMIN_LISTEN", "server.listenAddress and server.adminPort"),
    ("SUNMI_TRADE__UPSTREAM__MONEY", "sunmi.money"),
    ("SUNMI_TRADE__SHUTDOWN__DELAY", "config.shutdown.delay"),
    ("SUNMI_TRADE__SHUTDOWN__DRAIN", "config.shutdown.drain"),
    ("SUNMI_TRADE__SHUTDOWN__GRACE", "terminationGracePeriodSeconds"),
]

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
    # Past the mesh.
    *((f"a way past {mesh}: {key}={value}", merged(PRODUCTION, {"callers": {"list": []}, "mesh": {"type": mesh, "callers": CALLERS}}, at(where, {key: value})), [f"{key}={value}", "past the mesh", "callers.list"])
      for mesh, where, key, value in BYPASSES),
    ("a way past a mesh by its namespace", merged(PRODUCTION, {"callers": {"list": []}, "commonLabels": {"sidecar.istio.io/inject": "false"}, "mesh": {"type": "istio-sidecar", "inject": False, "callers": CALLERS}}), ["past the mesh"]),
    ("a way past the mesh whose names are believed", merged(PRODUCTION, {"callers": {"list": [], "trust": "linkerd"}, "mesh": {"type": "linkerd"}, "podAnnotations": {"linkerd.io/inject": "disabled"}}), ["past the mesh"]),
    *((f"a trusted network with {what}", merged(PRODUCTION, {"callers": {"list": [], "trust": trust}, "mesh": {"type": mesh}}, change), [f"callers.trust is {trust}", what, "callers.trustPublic=true", "may refund"])
      for what, trust, mesh, change in PUBLIC),
    # Entries that do not go together.
    ("a credential twice", merged(PRODUCTION, at("sunmi.credentials", [{"appId": "app-1"}, {"appId": "app-1", "key": "b"}])), ["sunmi.credentials[1]", "appId app-1"]),
    ("a default that no credential is", merged(PRODUCTION, at("sunmi.defaultAppId", "app-9")), ["sunmi.defaultAppId is app-9", "one of app-1"]),
    ("a caller's app_id that no credential is", merged(PRODUCTION, at("callers.list", [{**TILL, "appIds": ["app-1", "app-9"]}])), ["callers.list[0] (till) has app-9"]),
    ("a caller's name twice", merged(PRODUCTION, at("callers.list", [TILL, {**TILL, "tokensKey": "b"}])), ["callers.list[1] (till) has the name"]),
    ("a token of two callers", merged(PRODUCTION, at("callers.list", [TILL, {**TILL, "name": "b", "existingSecret": "tokens"}])), ["callers.list[1] (b)", "the tokensKey till of Secret tokens", "callers.list[0]"]),
    ("a certificate of two callers", merged(PRODUCTION, MUTUAL, at("callers.list", [{**TILL, "dnsNames": ["A.example.com"]}, {"name": "b", "rpcs": ["Query"], "dnsNames": ["a.example.com"]}])), ["the dnsName a.example.com"]),
    ("one port for both", merged(PRODUCTION, at("server.adminPort", 50051)), ["server.port and server.adminPort are both 50051"]),
    *((f"{name} in the environment", merged(PRODUCTION, at("extraEnv", [{"name": name, "value": "x"}])), [f"extraEnv[0] sets {name}", f"Set {instead}"]) for name, instead in OWNED),
    ("an autoscaler upside down", merged(PRODUCTION, at("autoscaling", {"enabled": True, "minReplicas": 9})), ["autoscaling.minReplicas is 9"]),
    ("an autoscaler by nothing", merged(PRODUCTION, at("autoscaling", {"enabled": True, "targetCPUUtilizationPercentage": None})), ["nothing says by what"]),
    *((f"the name {name!r}", merged(PRODUCTION, at("fullnameOverride", name)), ["fullnameOverride", name]) for name in ("Trade", "my_trade", "1trade", "a.b")),
    ("a label that is none", merged(PRODUCTION, {"fullnameOverride": "a", "nameOverride": "my trade"}), ["nameOverride", "my trade"]),
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

# What is near to that, and holds.
ACCEPTED = [
    ("a trusted network that somebody vouches for", merged(PRODUCTION, {"callers": {"list": [], "trust": "network", "trustPublic": True}, "service": {"type": "LoadBalancer"}})),
    ("a trusted network inside", merged(PRODUCTION, {"callers": {"list": [], "trust": "network"}})),
    ("a trusted network with certificates", merged(PRODUCTION, ROUTE, {"callers": {"list": [], "trust": "network"}}, MUTUAL, at("tls.clientCA.certificates", "required"))),
    ("a route to callers of the mesh", merged(PRODUCTION, ROUTE, {"callers": {"list": []}, "mesh": {"type": "istio-sidecar", "callers": CALLERS}})),
    ("a mesh by the namespace", merged(PRODUCTION, {"callers": {"list": []}, "mesh": {"type": "linkerd", "inject": False, "callers": CALLERS}})),
    ("another port past the mesh", merged(PRODUCTION, {"callers": {"list": []}, "mesh": {"type": "linkerd", "callers": CALLERS}, "podAnnotations": {"config.linkerd.io/skip-inbound-ports": "9090,5005"}})),
    ("the port itself through the mesh", merged(PRODUCTION, {"callers": {"list": []}, "mesh": {"type": "istio-sidecar", "callers": CALLERS}, "podAnnotations": {"traffic.sidecar.istio.io/includeInboundPorts": "50051"}})),
    ("callers with tokens past the mesh", merged(PRODUCTION, {"mesh": {"type": "linkerd"}, "podAnnotations": {"linkerd.io/inject": "disabled"}})),
    ("TLS beside a waypoint that is not in use", merged(PRODUCTION, {"tls": {"enabled": True, "existingSecret": "t"}, "mesh": {"istio": {"waypoint": {"name": "way"}}}})),
    ("an app_id of the environment", merged(PRODUCTION, at("sunmi.defaultAppId", "app-9"), at("extraEnv", [{"name": "SUNMI_TRADE_APP_ID", "value": "app-9"}]))),
    ("the chart's variables in the sandbox", merged(SANDBOX, at("extraEnv", [{"name": name, "value": "x"} for name, _ in OWNED]))),
    ("one key of two Secrets", merged(PRODUCTION, at("callers.list", [TILL, {**TILL, "name": "b", "existingSecret": "others"}]))),
    ("an autoscaler by memory", merged(PRODUCTION, at("autoscaling", {"enabled": True, "targetCPUUtilizationPercentage": None, "targetMemoryUtilizationPercentage": 80}))),
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
    for name, values in ACCEPTED:
        faults = [f"{version}: {error}" for version in chart.HELMS for error in [said(version, values)] if error]
        report.check(f"not refused: {name}", faults)
    error = said(next(iter(chart.HELMS)), merged(PRODUCTION, MESH))
    report.check("what is wrong with a mesh's callers is told once", [error] if error.count("  * ") != 1 else [])
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
                       "--set", "mesh.type=consul,sunmi.environment=sandbox,mesh.callers[0].serviceAccount=a,mesh.callers[0].rpcs={Query}")
            faults = ["is not refused"]
        except chart.Refused as error:
            faults = [] if 'mesh.type is "consul"' in str(error) else [str(error)]
        report.check(f"refused by {version} without the schema: an unknown mesh", faults)
