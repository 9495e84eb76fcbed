"""Every profile, installed, upgraded and rolled back on the API server, under the pod security standard "restricted"."""

import copy
import itertools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import yaml

from world import BY_SCHEMA, CHART, HELMS, Failed, run as program

PROFILES = sorted((CHART / "ci").glob("*-values.yaml"))
OURS = "release-under-test"


def run(report, world, groups):
    report.section("Every profile on the API server")
    there = [it for it in PROFILES if known(report, it, groups)]
    world.apply([{"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000}])
    before = previous(world)

    def attempt(which):
        profile, version = which
        name = profile.name.removesuffix("-values.yaml")
        namespace = f"{name}-{version.split('.')[0]}"
        world.apply([namespace_of(namespace)])
        where = f"{name}, helm {version}"
        try:
            walk(report, world, version, namespace, profile, before, where)
        except Failed as error:
            report.check(where, [str(error)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, itertools.product(there, HELMS)))
    autoscaling(report, world)


def known(report, profile, groups):
    """Whether the API server has all kinds that a profile makes."""
    made = program([next(iter(HELMS.values())), "template", OURS, CHART, "--kube-version", "1.37.0", "--values", profile])
    made = {it["apiVersion"].split("/")[0] for it in yaml.load_all(made, yaml.CSafeLoader) if it}
    if missing := [it for it in BY_SCHEMA if it in made and it not in groups]:
        report.skip(profile.name, f"no schemas of {', '.join(missing)}")
    return not missing


def namespace_of(name):
    levels = {f"pod-security.kubernetes.io/{what}": "restricted" for what in ("enforce", "warn", "audit")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": levels}}


def previous(world):
    """The chart as a release before: other versions of it and of the server."""
    folder = world.folder / "previous"
    shutil.copytree(CHART, folder)
    chart = yaml.safe_load((folder / "Chart.yaml").read_text())
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart | {"version": "0.0.1", "appVersion": "0.0.1"}))
    return folder


def walk(report, world, version, namespace, profile, before, where):
    """Installs, upgrades, changes nothing, and goes back."""
    place = ["--namespace", namespace, "--values", str(profile)]
    world.helm(version, "install", OURS, str(before), *place)
    first = objects_of(world, version, namespace)
    world.helm(version, "upgrade", OURS, str(CHART), *place)
    second = objects_of(world, version, namespace)
    report.check(f"{where}: installed, and upgraded from the release before", [] if names(first) == names(second) else [f"{names(first) ^ names(second)}"])
    report.check(f"{where}: is what was rendered", drift(world, namespace, second))
    report.check(f"{where}: its pod is restricted", admitted(world, namespace, second))
    generations = generations_of(world, namespace, second)
    world.helm(version, "upgrade", OURS, str(CHART), *place)
    again = generations_of(world, namespace, second)
    report.check(f"{where}: the same upgrade changes nothing", [key for key in again if again[key] != generations[key]])
    world.helm(version, "rollback", OURS, "1", "--namespace", namespace)
    report.check(f"{where}: rolled back", drift(world, namespace, first))
    claims = names_of(world, namespace, "persistentvolumeclaims")
    world.helm(version, "uninstall", OURS, "--namespace", namespace)
    left = [it["kind"] for it in live(world, namespace, second) if it and it["kind"] != "PersistentVolumeClaim" and "deletionTimestamp" not in it["metadata"]]
    lost = claims - names_of(world, namespace, "persistentvolumeclaims")
    report.check(f"{where}: uninstalled, but for the ledger", left + sorted(lost))


def objects_of(world, version, namespace):
    manifest = world.helm(version, "get", "manifest", OURS, "--namespace", namespace)
    return [it for it in yaml.load_all(manifest, yaml.CSafeLoader) if it]


def names(objects):
    return {(it["kind"], it["metadata"]["name"]) for it in objects}


def live(world, namespace, objects):
    """What the API server has of objects, in their order; what is gone is left out."""
    text = yaml.safe_dump_all(objects)
    there = json.loads(world.kubectl("--namespace", namespace, "get", "--ignore-not-found", "-f", "-", "-o", "json", stdin=text) or "{}")
    found = {(it["kind"], it["metadata"]["name"]): it for it in there.get("items", [there] if there else [])}
    return [found.get((it["kind"], it["metadata"]["name"])) for it in objects]


def names_of(world, namespace, kind):
    return {it["metadata"]["name"] for it in world.get("--namespace", namespace, kind)["items"]}


def generations_of(world, namespace, objects):
    found = {}
    for it in live(world, namespace, objects):
        metadata = it["metadata"]
        found[it["kind"], metadata["name"]] = metadata.get("generation") or metadata["resourceVersion"]
    return found


def drift(world, namespace, objects):
    """Where the server has something else than what was rendered; of custom resources, also something more."""
    for it, there in zip(objects, live(world, namespace, objects)):
        custom = "." in it["apiVersion"].split("/")[0] and not it["apiVersion"].startswith(("networking.k8s.io", "policy/", "autoscaling/"))
        for key in ("spec", "data"):
            if key in it:
                yield from differences(it[key], there and there.get(key), f"{it['kind']}.{key}", custom)


def differences(given, there, path, whole):
    if isinstance(given, dict) and isinstance(there, dict):
        for key, value in given.items():
            if value is not None:
                yield from differences(value, there.get(key), f"{path}.{key}", whole)
        for key in set(there) - set(given) if whole else ():
            yield f"{path}.{key} was filled in: {there[key]!r}"
    elif isinstance(given, list) and isinstance(there, list) and len(given) == len(there):
        for at, pair in enumerate(zip(given, there)):
            yield from differences(*pair, f"{path}[{at}]", whole)
    elif given != there and not quantity(given, there):
        yield f"{path} is {there!r}, and {given!r} was rendered"


def quantity(given, there):
    """Whether an API server may write one for the other."""
    return (given in ({}, [], "", 0, False) and there is None) or str(given) == str(there)


def admitted(world, namespace, objects):
    """What the API server says of the Deployment's pod."""
    template = copy.deepcopy(next(it for it in objects if it["kind"] == "Deployment")["spec"]["template"])
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"]["name"] = "it"
    try:
        world.kubectl("--namespace", namespace, "create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(pod))
    except Failed as error:
        yield str(error)
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    try:
        world.kubectl("--namespace", namespace, "create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
        yield "the namespace enforces nothing"
    except Failed as error:
        if "restricted" not in str(error):
            yield str(error)


def autoscaling(report, world):
    """What README.md says of switching an autoscaler on: replicas go, unless with Helm 4 another manager owns them."""
    values = CHART / "ci/postgresql-values.yaml"
    for version in HELMS:
        for owned in (False, True):
            namespace = f"autoscaling-{'owned' if owned else 'bare'}-{version.split('.')[0]}"
            world.apply([namespace_of(namespace)])
            place = ["--namespace", namespace, "--values", str(values)]
            world.helm(version, "install", OURS, str(CHART), *place)
            name = f"{OURS}-sunmi-trade"
            if owned:
                it = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace}, "spec": {"replicas": 3}}
                world.kubectl("apply", "--server-side", "--field-manager=replicas", "-f", "-", stdin=json.dumps(it))
            world.helm(version, "upgrade", OURS, str(CHART), *place, "--set", "autoscaling.enabled=true")
            replicas = world.get("--namespace", namespace, "deployment", name)["spec"]["replicas"]
            kept = owned and version.startswith("v4")
            what = f"{'keeps' if kept else 'drops'} replicas that {'another manager' if owned else 'nobody else'} owns, as documented"
            report.check(f"helm {version}: an autoscaler that is switched on {what}", [] if replicas == (3 if kept else 1) else [str(replicas)])
