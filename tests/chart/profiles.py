"""Every profile on every Helm, and what holds of each of them."""

import yaml

import chart
from chart import CHART, HELMS, PROFILES, container, find, one, pod
from validation import VERSIONS, faults_of_all


def run(report):
    report.section("Every profile, on every Helm")
    for profile in PROFILES:
        name = profile.name.removesuffix("-values.yaml")
        values = chart.values_of(profile)
        rendered = {version: chart.render(values, version) for version in HELMS}
        first = next(iter(rendered.values()))
        same = all(key(first) == key(other) for other in rendered.values())
        report.check(f"{name}: is the same on {', '.join(HELMS)}", [] if same else ["they differ"])
        # What is of newer Kubernetes alone is in the profile with everything.
        versions = VERSIONS[1:] if name == "everything" else VERSIONS
        report.check(f"{name}: each object is of its schema", faults_of_all(first, versions))
        report.check(f"{name}: holds together", together(first, values))
        report.check(f"{name}: is restricted", not_restricted(first))
        report.check(f"{name}: has each field set to what an API server would fill in", drifting(first))
    lint(report)


def key(objects):
    return yaml.safe_dump_all(sorted(objects, key=lambda it: (it["kind"], it["metadata"]["name"])))


def lint(report):
    for version in HELMS:
        for profile in PROFILES:
            try:
                said = chart.helm(version, "lint", "--strict", "--kube-version", chart.KUBERNETES, str(CHART), "--values", str(profile))
                faults = [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line]
            except chart.Refused as error:
                faults = [str(error)]
            report.check(f"{profile.name}: helm {version} lint --strict", faults)


def together(objects, values):
    """What is wrong with objects as they refer to each other."""
    deployment = one(objects, "Deployment")
    spec = deployment["spec"]
    selector = spec["selector"]["matchLabels"]
    labels = spec["template"]["metadata"]["labels"]
    if set(selector) != {"app.kubernetes.io/name", "app.kubernetes.io/instance"}:
        yield f"selects by {sorted(selector)}, which never may change"
    if not selector.items() <= labels.items():
        yield "the Deployment does not select its pods"
    ports = {it["name"] for it in container(objects)["ports"]}
    for service in find(objects, "Service"):
        if not service["spec"]["selector"].items() <= labels.items():
            yield f"{service['metadata']['name']} does not select the pods"
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"{service['metadata']['name']}: no port {port['targetPort']}"
    if ("replicas" in spec) == bool(find(objects, "HorizontalPodAutoscaler")):
        yield "replicas are said by the Deployment and by an autoscaler, or by none"
    volumes = {it["name"] for it in pod(objects)["volumes"]}
    mounts = {it["name"] for it in container(objects)["volumeMounts"]}
    if volumes != mounts:
        yield f"volumes {volumes} and mounts {mounts}"
    names = [it["name"] for it in container(objects).get("env", [])]
    if len(names) != len(set(names)):
        yield f"a variable is there twice: {names}"
    wanted = values.get("podDisruptionBudget", {}).get("enabled", True)
    if bool(find(objects, "PodDisruptionBudget")) != (wanted and spec.get("replicas", 2) > 1):
        yield "a disruption budget is for several replicas alone"
    if pod(objects)["automountServiceAccountToken"] is not False:
        yield "the pod gets a token"


def not_restricted(objects):
    """What the pod security standard "restricted" would refuse."""
    spec = pod(objects)
    if spec["securityContext"].get("runAsNonRoot") is not True or spec["securityContext"]["runAsUser"] != 65532:
        yield "may be root"
    if spec["securityContext"]["seccompProfile"] != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    for it in spec["containers"] + spec.get("initContainers", []):
        context = it["securityContext"]
        if context["allowPrivilegeEscalation"] or context["capabilities"] != {"drop": ["ALL"]}:
            yield f"{it['name']} may gain privileges"
    if container(objects)["securityContext"]["readOnlyRootFilesystem"] is not True:
        yield "may write to its own file system"
    for volume in spec["volumes"]:
        if not set(volume) - {"name"} <= {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}:
            yield f"volume {volume}"


def drifting(objects):
    """What an API server would add to custom resources, so that a deployer sees a change for ever."""
    for route in find(objects, "GRPCRoute"):
        for parent in route["spec"]["parentRefs"]:
            if not {"group", "kind"} <= set(parent):
                yield f"{route['metadata']['name']}: parentRefs {parent}"
        for rule in route["spec"]["rules"]:
            if any(not {"group", "kind", "weight"} <= set(it) for it in rule.get("backendRefs", [])):
                yield f"{route['metadata']['name']}: backendRefs of {rule}"
            if any("type" not in it["method"] for it in rule.get("matches", [])):
                yield f"{route['metadata']['name']}: matches of {rule}"
    for server in find(objects, "Server"):
        if not {"accessPolicy", "proxyProtocol"} <= set(server["spec"]):
            yield server["metadata"]["name"]
