"""Where users extend the chart, and the names of its objects."""

import json
import pathlib
import shutil
import tempfile

import chart
from chart import at, container, find, merged, one, pod
from combinations import CALLERS, PRODUCTION
from validation import faults_of_all

LONG = "a-release-that-has-a-name-of-fifty-three-characters-x"


def run(report):
    report.section("Extension points and names")
    environment(report)
    mounts(report)
    objects_of_users(report)
    security(report)
    subchart(report)
    names(report)
    restarts(report)
    stopping(report)
    ledgers(report)
    meshes(report)


def environment(report):
    ours = container(chart.render(merged(PRODUCTION, at("config.tracing.endpoint", "http://c:4317"))))["env"]
    overriding = [
        {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "a=b"},
        {"name": "TWICE", "value": "first"},
        {"name": "TWICE", "value": "last"},
    ]
    for version in chart.HELMS:
        values = merged(PRODUCTION, at("config.tracing.endpoint", "http://c:4317"), at("extraEnv", overriding))
        env = container(chart.render(values, version))["env"]
        names = [it["name"] for it in env]
        faults = [] if sorted(names) == sorted({*(it["name"] for it in ours), "TWICE"}) else [names]
        faults += [it for it in overriding[::2] if it not in env]
        report.check(f"{version}: extraEnv wins, and nothing is there twice", faults)
    order = [it["name"] for it in ours]
    report.check("what a variable refers to stands before it", [] if order.index("POD_NAME") < order.index("OTEL_RESOURCE_ATTRIBUTES") else [order])


def mounts(report):
    values = merged(PRODUCTION, {
        "extraVolumes": [{"name": "x", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "x", "mountPath": "/x"}],
        "extraContainers": [{"name": "beside", "image": "b:1"}],
        "initContainers": [{"name": "before", "image": "b:1"}],
        "extraEnvFrom": [{"secretRef": {"name": "s"}}],
        "extraArgs": ["--listen=[::]:50051"],
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        "podAnnotations": {"checksum/config": "mine"},
        "podLabels": {"app.kubernetes.io/name": "hijacked", "tier": "backend"},
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}],
        "dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.2"]},
        "runtimeClassName": "gvisor", "schedulerName": "other", "priorityClassName": "high",
        "affinity": {"nodeAffinity": {}}, "hostUsers": False,
    })
    objects = chart.render(values)
    spec, main = pod(objects), container(objects)
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]
    expected = {
        "volume": {"name": "x", "emptyDir": {}} in spec["volumes"],
        "mount": {"name": "x", "mountPath": "/x"} in main["volumeMounts"],
        "container": [it["name"] for it in spec["containers"]] == ["sunmi-trade", "beside"],
        "init container": [it["name"] for it in spec["initContainers"]] == ["before"],
        "envFrom": main["envFrom"] == [{"secretRef": {"name": "s"}}],
        "argument": main["args"][-1] == "--listen=[::]:50051",
        "hook": main["lifecycle"] == values["lifecycle"],
        "annotation": labels["annotations"]["checksum/config"] == "mine",
        "label": labels["labels"]["tier"] == "backend",
        "selector": labels["labels"]["app.kubernetes.io/name"] == "sunmi-trade",
        **{key: spec[key] == values[key] for key in ("hostAliases", "dnsPolicy", "dnsConfig", "runtimeClassName", "schedulerName", "priorityClassName", "affinity", "hostUsers")},
    }
    report.check("whatever pods are given is there", [key for key, holds in expected.items() if not holds])
    report.check("and of its schema", faults_of_all(objects))


def objects_of_users(report):
    extra = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": '{{ include "sunmi-trade.fullname" . }}-a'}},
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: "{{ .Release.Namespace }}-b"',
    ]
    names = {it["metadata"]["name"] for it in chart.render(merged(PRODUCTION, at("extraObjects", extra)))}
    report.check("extraObjects are templates, as maps and as texts", {"shop-sunmi-trade-a", "payments-b"} - names)
    escaped = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "escaped"}, "data": {"a": '{{ "{{ $value }}" }} of it\'s'}}
    for version in chart.HELMS:
        data = one(chart.render(merged(PRODUCTION, at("extraObjects", [escaped])), version), "ConfigMap", "escaped")["data"]
        report.check(f"{version}: and what is not for Helm is escaped as the README says", [] if data == {"a": "{{ $value }} of it's"} else [data])


def security(report):
    for version in chart.HELMS:
        nobody = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
        context = pod(chart.render(merged(PRODUCTION, at("podSecurityContext", nobody)), version))["securityContext"]
        faults = [context] if any(context.get(key) is not None for key in nobody) or not context["runAsNonRoot"] else []
        report.check(f"{version}: runAsUser may be null, as OpenShift wants it", faults)


def subchart(report):
    """As a part of another chart, which says whether it is enabled and what is global."""
    values = merged(PRODUCTION, {"enabled": True, "global": {"imageRegistry": "r.example.com", "imagePullSecrets": ["a", {"name": "b"}], "other": 1}, "imagePullSecrets": [{"name": "b"}]})
    for version in chart.HELMS:
        objects = chart.render(values, version)
        faults = [] if container(objects)["image"].startswith("r.example.com/sunmi-trade:") else [container(objects)["image"]]
        faults += [] if pod(objects)["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}] else [pod(objects)["imagePullSecrets"]]
        report.check(f"{version}: global and enabled are allowed, and global is heard", faults)
    with tempfile.TemporaryDirectory() as folder:
        parent = pathlib.Path(folder)
        shutil.copytree(chart.CHART, parent / "charts/sunmi-trade")
        dependency = {"name": "sunmi-trade", "version": "*", "condition": "sunmi-trade.enabled"}
        (parent / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": "shop", "version": "1.0.0", "dependencies": [dependency]}))
        for version in chart.HELMS:
            values = {"global": {"imageRegistry": "r.example.com"}, "sunmi-trade": merged(PRODUCTION, {"enabled": True, "podSecurityContext": {"runAsUser": None}})}
            objects = chart.render(values, version, chart=parent)
            faults = list(faults_of_all(objects))
            faults += [] if container(objects)["image"].startswith("r.example.com/") else [container(objects)["image"]]
            faults += [] if pod(objects)["securityContext"].get("runAsUser") is None else ["runAsUser cannot be null"]
            faults += chart.render(merged(values, at("sunmi-trade.enabled", False)), version, chart=parent)
            report.check(f"{version}: is a part of another chart, and can be switched off there", faults)


def names(report):
    everything = {
        "mesh": {"type": "linkerd", "callers": CALLERS, "linkerd": {"clientRoutes": {"enabled": True}, "egress": {"enabled": True}}},
        "service": {"headless": {"enabled": True}}, "dashboards": {"enabled": True}, "networkPolicy": {"enabled": True},
        "replicaCount": 2, "serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True},
    }
    for what, release, change in (
        ("a long release", LONG, {}),
        ("a long fullnameOverride", "r", {"fullnameOverride": "f" * 80}),
        ("a long nameOverride", LONG, {"nameOverride": "n" * 80}),
        ("a name that is cut at a dash", LONG, {"nameOverride": "n" * 8 + "-" * 60 + "n"}),
        ("a long Secret's name with dots", "r", at("sunmi.existingSecret", "s." * 120 + "s")),
        ("a long tag with a plus", "r", at("image.tag", "v1.2.3+" + "b" * 100 + ".")),
    ):
        objects = chart.render(merged(PRODUCTION, everything, change), release=release)
        faults = list(faults_of_all(objects))
        faults += [it["metadata"]["name"] for it in objects if len(it["metadata"]["name"]) > 63 or it["metadata"]["name"].endswith("-")]
        faults += [it["name"] for it in pod(objects)["volumes"] if len(it["name"]) > 63 or "." in it["name"]]
        report.check(f"names fit: {what}", faults)
    called = {it["metadata"]["name"] for it in chart.render(PRODUCTION, release="sunmi-trade") if it["kind"] == "Deployment"}
    report.check("a release named as the chart is not named twice", called - {"sunmi-trade"})


def restarts(report):
    def checksum(change):
        deployment = one(chart.render(merged(PRODUCTION, change)), "Deployment")
        return deployment["spec"]["template"]

    before = checksum({})
    second = {"sunmi": {"credentials": [{"appId": "app-1"}, {"appId": "app-2", "key": "second"}]}}
    caller = at("callers.list", [{"name": "till", "tokensKey": "till", "rpcs": ["Query"], "maxCalls": 3}])
    report.check("credentials and callers change without a restart", [it for it in (second, caller) if checksum(it) != before])
    others = (at("config.log.filter", "debug"), at("config.refund.lag", "6s"), at("server.reflection", True))
    report.check("all else changes with one", [it for it in others if checksum(it) == before])


def stopping(report):
    for change, seconds, told in (
        ({}, 80, "80s"),
        (at("config.shutdown", {"delay": "1500ms", "drain": "2m"}), 127, "127s"),
        (at("config.shutdown", {"delay": "0s", "drain": "1h 1m"}), 3665, "3665s"),
        (at("lifecycle.preStop.sleep.seconds", 10), 90, "80s"),
        (at("terminationGracePeriodSeconds", 200), 200, "200s"),
    ):
        objects = chart.render(merged(PRODUCTION, change))
        faults = [] if pod(objects)["terminationGracePeriodSeconds"] == seconds else [pod(objects)["terminationGracePeriodSeconds"]]
        faults += [] if f'grace = "{told}"' in chart.configuration(objects) else ["the server is told otherwise"]
        report.check(f"the grace period of {change or 'the defaults'} is {seconds} s", faults)


def ledgers(report):
    sqlite = chart.render(merged(PRODUCTION, at("ledger.type", "sqlite")))
    claim = one(sqlite, "PersistentVolumeClaim")
    faults = [] if one(sqlite, "Deployment")["spec"]["strategy"] == {"type": "Recreate"} else ["is not recreated"]
    faults += [] if claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" else ["goes with the release"]
    report.check("SQLite is recreated, and its claim outlives the release", faults)
    objects = chart.render(merged(PRODUCTION, at("ledger.type", "sqlite"), at("ledger.persistence.existingClaim", "mine")))
    faults = find(objects, "PersistentVolumeClaim")
    faults += [] if {"name": "ledger", "persistentVolumeClaim": {"claimName": "mine"}} in pod(objects)["volumes"] else ["is not used"]
    report.check("a claim that is there already is used", faults)


def meshes(report):
    plain = {"callers": {"list": []}}
    sidecar = chart.render(merged(PRODUCTION, plain, {"mesh": {"type": "istio-sidecar", "callers": CALLERS}, "service": {"headless": {"enabled": True}}}))
    faults = [] if 'callers = "trust-envoy"' in chart.configuration(sidecar) else ["is not told whom to believe"]
    hosts = one(sidecar, "VirtualService")["spec"]["hosts"]
    faults += [] if hosts == ["shop-sunmi-trade", "shop-sunmi-trade-headless"] else [hosts]
    config = one(sidecar, "Deployment")["spec"]["template"]["metadata"]["annotations"]["proxy.istio.io/config"]
    faults += [] if "terminationDrainDuration: 80s" in config else [config]
    report.check("a sidecar's calls go by the VirtualService, and it stays as long as the server", faults)

    test = chart.render(merged(PRODUCTION, plain, {"sunmi": {"environment": "test"}, "mesh": {"type": "istio-sidecar"}}))
    egress = one(test, "VirtualService", "shop-sunmi-trade-egress")["spec"]["http"][0]["retries"]
    report.check("plain HTTP to Sunmi's test host is sent once", [] if egress == {"attempts": 0} else [egress])

    ambient = chart.render(merged(PRODUCTION, plain, {"mesh": {"type": "istio-ambient", "callers": CALLERS}}))
    faults = [it["kind"] for it in ambient if it["kind"] in ("VirtualService", "DestinationRule")]
    faults += [rule for rule in one(ambient, "AuthorizationPolicy")["spec"]["rules"] for to in rule["to"] if set(to["operation"]) != {"ports"}]
    report.check("ambient without a waypoint has no rules that its proxies cannot read", faults)

    way = {"mesh": {"type": "istio-ambient", "callers": CALLERS, "istio": {"waypoint": {"name": "way"}}}}
    for change, wanted in (({}, None), (at("grpcRoute", {"enabled": True, "parentRefs": [{"name": "g"}]}), "true"), (at("ingress", {"enabled": True, "hosts": ["a.example.com"]}), "true"),
                           (at("mesh.istio.virtualService", {"gateways": ["i/public"], "hosts": ["a.example.com"]}), "true")):
        labels = one(chart.render(merged(PRODUCTION, plain, way, change)), "Service", "shop-sunmi-trade")["metadata"]["labels"]
        found = labels.get("istio.io/ingress-use-waypoint")
        report.check(f"a gateway's calls pass the waypoint: {list(change) or 'no gateway'}", [] if found == wanted else [found])

    linkerd = chart.render(merged(PRODUCTION, plain, {"mesh": {"type": "linkerd", "callers": [{"serviceAccount": "till", "rpcs": ["Query"]}]}}))
    authorized = {it["metadata"]["name"] for it in find(linkerd, "GRPCRoute")}
    report.check("Linkerd admits the methods of callers alone", authorized ^ {"shop-sunmi-trade-query", "shop-sunmi-trade-asides"})
