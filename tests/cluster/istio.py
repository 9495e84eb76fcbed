"""What a real istiod makes of the chart's policies, and what a real Envoy does by them."""

import json

import yaml

from handler import Caller, Handler
from istiod import DOMAIN, Envoy, Istiod
from subscriber import Subscriber, chains_in
from world import CHART, HELMS, ISTIO, Failed, free_port, run as program, until

HELM = next(iter(HELMS.values()))
NAME = "trade-sunmi-trade"
TRADE, LEDGER = "/sunmi.trade.v1.TradeService/", "/sunmi.trade.v1.RefundLedgerService/"
READS = {f"{TRADE}Query", f"{TRADE}SwipeQuery", f"{LEDGER}GetRefund", f"{LEDGER}ListRefunds"}
OTHERS = {f"{TRADE}Refund", f"{LEDGER}WatchRefunds", f"{TRADE}Added", "/grpc.health.v1.Health/Check"}
# Of a gRPC service that says no; each but OK.
STATUSES = range(1, 17)
# Never among what reads are tried again on.
NEVER = {"unavailable", "cancelled", "deadline-exceeded", "resource-exhausted", "internal", "5xx", "gateway-error", "retriable-status-codes"}


def run(report, world):
    analyze(report, world)
    world.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": it}} for it in ("istio-system", "sidecars", "bare", "servers", "waypoints", "shop")])
    istiod = Istiod(world)
    sidecar(report, world, istiod)
    inbound(report, world, istiod)
    waypoint(report, world, istiod)


def rendered(profile, namespace, *settings):
    arguments = [HELM, "template", "--kube-version", "1.34.0", "trade", CHART, "--namespace", namespace, "--values", CHART / f"ci/{profile}-values.yaml"]
    objects = [it for it in yaml.load_all(program([*arguments, *settings]), yaml.CSafeLoader) if it]
    for it in objects:
        it["metadata"]["namespace"] = namespace
    return objects


def analyze(report, world):
    report.section("istioctl analyze")
    for path in sorted(CHART.glob("ci/*-values.yaml")):
        name = path.name.removesuffix("-values.yaml")
        objects = rendered(name, "payments")
        if not any("istio.io" in it["apiVersion"] for it in objects):
            continue
        # What the profile refers to, and the chart does not make.
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "payments", "labels": {"istio-injection": "enabled"}}})
        objects.append({"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "public", "namespace": "istio-system"},
                        "spec": {"selector": {"istio": "ingressgateway"}, "servers": [{"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["trade.example.com"], "tls": {"mode": "SIMPLE", "credentialName": "tls"}}]}})
        file = world.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump_all(objects))
        try:
            program([ISTIO / "istioctl", "analyze", "--use-kube=false", "--failure-threshold", "Warning", "--namespace", "payments", "--suppress", "IST0132=VirtualService trade.payments", "--suppress", "IST0101=*", "--suppress", "IST0118=*", file])
            report.check(f"{name}: nothing to say")
        except Failed as error:
            report.check(f"{name}: nothing to say", str(error).splitlines())


def enter(namespace, handlers):
    """Servers on this machine, as if they were pods of the Service."""
    labels = {"app.kubernetes.io/name": "sunmi-trade", "app.kubernetes.io/instance": "trade"}
    return [
        {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", "metadata": {"name": f"server-{number}", "namespace": namespace, "labels": labels},
         "spec": {"address": "127.0.0.1", "ports": {"grpc": handler}, "labels": labels}}
        for number, handler in enumerate(handlers)
    ]


def outlet(port, namespace):
    """What callers' sidecars listen to."""
    return {"apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": {"name": "callers", "namespace": "shop"},
            "spec": {"egress": [{"port": {"number": port, "protocol": "GRPC", "name": "grpc"}, "bind": "127.0.0.1", "captureMode": "NONE", "hosts": [f"{namespace}/*"]}]}}


def of_service(envoy, namespace):
    """The routes to the Service; none while there are none."""
    for name, routes in envoy.routes().items():
        if name.startswith(f"{NAME}.{namespace}.svc"):
            return routes
    return None


def sidecar(report, world, istiod):
    report.section("Through a sidecar")
    handler = Handler()
    port = free_port()
    for namespace, settings in (("bare", ["--set", "mesh.istio.virtualService.enabled=false"]), ("sidecars", [])):
        objects = rendered("istio-sidecar", namespace, "--set", f"service.port={port}", *settings)
        world.apply([it for it in objects if it["kind"] in ("Service", "VirtualService", "DestinationRule", "ServiceEntry")])
        world.apply([*enter(namespace, [handler.port]), outlet(port, namespace)])
        envoy = Envoy(world, istiod, "sidecar", f"caller-of-{namespace}", "shop", {"app": "caller"})
        until("routes to the Service", lambda: of_service(envoy, namespace))
        caller = Caller(port, f"{NAME}.{namespace}.svc.{DOMAIN}:{port}")
        until("an answer", lambda: caller.call(f"{TRADE}Query", "warm") == 0)
        if namespace == "bare":
            control(report, handler, caller)
        else:
            policies(report, "sidecar", of_service(envoy, namespace))
            counted(report, handler, caller)
            dead_server(report, world, namespace, handler, caller)
        caller.end()
        envoy.end()
    handler.end()


def control(report, handler, caller):
    """That this would be seen: without the VirtualService a refund is sent three times."""
    caller.call(f"{TRADE}Refund", "control", 14)
    count = handler.calls["control"]
    report.check("without the VirtualService Istio sends a refund three times (so this test would see it)", [] if count == 3 else [f"{count} times"])


def policy_of(route):
    """A route's retry policy: Envoy and istiod name the fields of what they dump in two ways."""
    route = route["route"]
    policy = route.get("retry_policy") or route.get("retryPolicy")
    return policy and {"on": set((policy.get("retry_on") or policy["retryOn"]).split(",")), "count": policy.get("num_retries") or policy["numRetries"]}


def policies(report, what, routes):
    """Each method's retry policy and timeout, as istiod translates it."""
    by_path = {}
    for route in routes:
        match = route["match"]
        by_path[match.get("path") or match.get("prefix")] = route
    faults = [f"{path} has no route" for path in READS | {f"{TRADE}Refund", f"{LEDGER}WatchRefunds", "/"} if path not in by_path]
    for path, route in by_path.items():
        policy = policy_of(route)
        if path in READS:
            if policy is None or policy["count"] != 2 or policy["on"] & NEVER:
                faults.append(f"{path}: {policy}")
        elif policy is not None:
            faults.append(f"{path} is tried again: {policy}")
        timeout = "35s" if path in READS or path.endswith("/Refund") else "0s"
        if route["route"].get("timeout") != timeout:
            faults.append(f"{path}: its timeout is {route['route'].get('timeout')}")
    report.check(f"{what}: reads alone are tried again, and the timeouts are as documented", faults)


def counted(report, handler, caller):
    """How often each method reaches the server, whatever that answers."""
    for path in sorted(READS | OTHERS):
        faults = []
        for status in STATUSES:
            name = f"{path} {status}"
            told = caller.call(path, name, status)
            if handler.calls[name] != 1 or told != status:
                faults.append(f"status {status}: {handler.calls[name]} times, told {told}")
        report.check(f"{path} reaches the server once, whatever of {len(STATUSES)} codes it answers", faults)


def dead_server(report, world, namespace, handler, caller):
    """A second server that nobody hears: reads find the other one, a refund may not."""
    world.apply(enter(namespace, [handler.port, free_port()]))
    until("the other server", lambda: caller.call(f"{TRADE}Refund", "probe") == 14)
    told = [caller.call(f"{TRADE}Query", f"read {number}") for number in range(40)]
    faults = [f"a read was told {code}" for code in set(told) - {0}]
    faults += [f"a read reached the server {handler.calls[f'read {number}']} times" for number in range(40) if handler.calls[f"read {number}"] != 1]
    report.check("reads that reached no server are sent to another one, once", faults)


def waypoint(report, world, istiod):
    report.section("Through a waypoint")
    labels = {"gateway.networking.k8s.io/gateway-name": "waypoint", "gateway.istio.io/managed": "istio.io-mesh-controller"}
    objects = rendered("istio-waypoint", "waypoints")
    world.apply([it for it in objects if it["kind"] in ("Service", "VirtualService", "DestinationRule", "ServiceEntry", "AuthorizationPolicy")])
    world.apply([
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "waypoint", "namespace": "waypoints", "labels": {"istio.io/waypoint-for": "service"}},
         "spec": {"gatewayClassName": "istio-waypoint", "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE", "allowedRoutes": {"namespaces": {"from": "Same"}}}]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "waypoint", "namespace": "waypoints", "labels": labels},
         "spec": {"selector": {"gateway.networking.k8s.io/gateway-name": "waypoint"}, "ports": [{"name": "mesh", "port": 15008, "appProtocol": "hbone"}]}},
    ])
    address = world.get("--namespace", "waypoints", "service", "waypoint")["spec"]["clusterIP"]
    status = {"status": {"addresses": [{"type": "IPAddress", "value": address}, {"type": "Hostname", "value": f"waypoint.waypoints.svc.{DOMAIN}"}]}}
    world.kubectl("--namespace", "waypoints", "patch", "gateway.v1.gateway.networking.k8s.io", "waypoint", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    proxy, chains = until("routes of the waypoint", lambda: subscribed(istiod, labels))
    (service,) = (routes for (chain, _), routes in chains.items() if NAME in chain)
    policies(report, "waypoint", service)
    authorized(report, "waypoint", proxy)
    direct = [policy_of(route) for (chain, _), routes in chains.items() if chain == "direct-http" for route in routes]
    report.check("a pod's own address is tried again, as NOTES say", [] if any(direct) else [str(direct)])
    proxy.end()
    istiod.end()
    strict = Istiod(world, default_attempts=0)
    proxy, chains = until("routes of the waypoint", lambda: subscribed(strict, labels))
    direct = [policy_of(route) for (chain, _), routes in chains.items() if chain == "direct-http" for route in routes]
    report.check("and is not with defaultHttpRetryPolicy.attempts: 0, as NOTES say", [str(it) for it in direct if it] or ([] if direct else ["there is none"]))
    proxy.end()
    strict.end()


def subscribed(istiod, labels):
    """A waypoint and its chains, if the Service is among them by now: which proxy is whose is settled as it connects."""
    proxy = Subscriber(istiod, "waypoint", "waypoint", "waypoints", labels)
    chains = proxy.routes()
    if any(NAME in chain for chain, _ in chains):
        return proxy, chains
    proxy.end()
    return None


def authorized(report, what, proxy):
    """Who may call what, as istiod translates it."""
    texts = [json.dumps(policy) for policy in rules_in(proxy.listeners())]
    refunds = [it for it in texts if f"{TRADE}Refund" in it]
    faults = [] if refunds else ["nobody may refund"]
    faults += [it for it in refunds if "ns/shop/sa/back-office" not in it or "sa/reports" in it]
    # Without an identity there is the port of metrics alone, and of it no page for people.
    faults += [it for it in texts if "sa/" not in it and not ('"destinationPort": 9090' in it and "50051" not in it and '"exact": "/metrics"' in it)]
    report.check(f"{what}: each caller may call its own methods, and nobody else any", faults)


def inbound(report, world, istiod):
    """What the sidecar beside the server lets in."""
    report.section("Into the server's sidecar")
    objects = rendered("istio-sidecar", "servers")
    world.apply([it for it in objects if it["kind"] in ("Service", "AuthorizationPolicy", "PeerAuthentication")])
    labels = next(it for it in objects if it["kind"] == "Deployment")["spec"]["selector"]["matchLabels"]
    proxy = until("rules of the server's sidecar", lambda: ruled(istiod, labels))
    authorized(report, "sidecar", proxy)
    chains = [it for it in chains_in(proxy.listeners()) if it.get("name", "").startswith("virtualInbound") and "blackhole" not in it["name"]]
    plain = [it["filterChainMatch"].get("destinationPort") for it in chains if "transportSocket" not in it]
    # TLS that is not the mesh's passes by to the same port.
    faults = [f"port {it} takes plain text" for it in plain if it != 9090]
    faults += [] if 9090 in plain else ["Prometheus cannot scrape from outside of the mesh"]
    faults += [] if len(chains) > len(plain) else ["nothing speaks TLS"]
    report.check("sidecar: only callers with the mesh's TLS are let in, and Prometheus", faults)
    proxy.end()


def ruled(istiod, labels):
    """The server's sidecar, if rules for it are known by now."""
    proxy = Subscriber(istiod, "sidecar", "server", "servers", labels)
    ports = [it["filterChainMatch"].get("destinationPort") for it in chains_in(proxy.listeners()) if "filterChainMatch" in it]
    if any(rules_in(proxy.listeners())) and 9090 in ports:
        return proxy
    proxy.end()
    return None


def rules_in(it):
    """The policies of RBAC filters, wherever they are."""
    if isinstance(it, dict):
        for key, value in it.items():
            if key == "policies" and isinstance(value, dict):
                yield from value.values()
            else:
                yield from rules_in(value)
    elif isinstance(it, list):
        for value in it:
            yield from rules_in(value)
