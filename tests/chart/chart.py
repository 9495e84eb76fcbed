"""The chart, rendered by real Helms."""

import copy
import json
import os
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/sunmi-trade"
PROFILES = sorted((CHART / "ci").glob("*-values.yaml"))
HELMS = json.loads(os.environ["HELMS"])  # by their version
KUBERNETES = "1.34.0"
RELEASE = "shop"


class Refused(Exception):
    """What Helm said instead of rendering."""


def helm(version, *arguments, stdin=None):
    ran = subprocess.run([HELMS[version], *arguments], input=stdin, capture_output=True, text=True)
    if ran.returncode:
        raise Refused(ran.stderr.strip())
    return ran.stdout


def values_of(profile):
    return yaml.safe_load(profile.read_text())


def merged(base, *changes):
    """Values, changed as Helm merges them."""
    base = copy.deepcopy(base)
    for change in changes:
        for key, value in change.items():
            both = isinstance(value, dict) and isinstance(base.get(key), dict)
            base[key] = merged(base[key], value) if both else copy.deepcopy(value)
    return base


def at(path, value):
    """Values in which only this is set: at("mesh.type", "none")."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def render(values, version=None, release=RELEASE, namespace="payments", chart=CHART, notes=False):
    """The objects that these values come to; with notes, the text for the one who installs."""
    version = version or next(iter(HELMS))
    way = ["install", "--dry-run=client", "--hide-secret"] if notes else ["template", "--kube-version", KUBERNETES]
    out = helm(version, *way, release, str(chart), "--namespace", namespace, "--values", "-",
               stdin=json.dumps(values))
    return [it for it in yaml.load_all(out, yaml.CSafeLoader) if it]


def find(objects, kind, name=None):
    """The objects of a kind."""
    return [it for it in objects if it["kind"] == kind and name in (None, it["metadata"]["name"])]


def one(objects, kind, name=None):
    found = find(objects, kind, name)
    assert len(found) == 1, f"{len(found)} objects of kind {kind}"
    return found[0]


def pod(objects):
    return one(objects, "Deployment")["spec"]["template"]["spec"]


def container(objects):
    return next(it for it in pod(objects)["containers"] if it["name"] == "sunmi-trade")


def configuration(objects):
    """The text of the server's configuration file."""
    texts = [it["data"]["sunmi-trade.toml"] for it in find(objects, "ConfigMap") if "sunmi-trade.toml" in it.get("data", {})]
    assert len(texts) == 1, texts
    return texts[0]
