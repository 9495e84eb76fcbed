"""Objects against the schemas of their kinds, strictly: no field that is not there."""

import copy
import functools
import json
import os
import pathlib

import jsonschema
import kubernetes_validate

from chart import ROOT

SCHEMAS = pathlib.Path(os.environ.get("CRD_SCHEMAS", ROOT.parent / "shared/schemas"))
OF_KUBERNETES = ("v1", "apps/v1", "autoscaling/v2", "batch/v1", "networking.k8s.io/v1", "policy/v1")
VERSIONS = ("1.29", "1.34", "1.37")


def have_schemas():
    return any(SCHEMAS.glob("*.json"))


@functools.cache
def schema_of(group_version, kind):
    path = SCHEMAS / f"{group_version.replace('/', '_')}_{kind}.json"
    return jsonschema.Draft7Validator(closed(json.loads(path.read_text())))


def closed(schema):
    """A schema that takes no property but those that it names."""
    schema = copy.deepcopy(schema)
    if isinstance(schema, dict):
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for key, value in schema.items():
            if isinstance(value, dict) and key != "metadata":
                schema[key] = closed(value)
            elif isinstance(value, list):
                schema[key] = [closed(it) if isinstance(it, dict) else it for it in value]
    return schema


def faults_of(it, versions=VERSIONS[-1:]):
    """What is wrong with an object."""
    name = f"{it['kind']} {it['metadata']['name']}"
    if "namespace" in it["metadata"]:
        yield f"{name}: says its namespace, which Helm does"
    if it["apiVersion"] in OF_KUBERNETES:
        for version in versions:
            try:
                kubernetes_validate.validate(it, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name}: Kubernetes {version}: {error.message}"
    elif have_schemas():
        for error in schema_of(it["apiVersion"], it["kind"]).iter_errors(it):
            yield f"{name}: {'.'.join(map(str, error.path))}: {error.message}"
    yield from label_faults(it, name)


def label_faults(it, name):
    labels = it["metadata"].get("labels", {})
    for key in ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "helm.sh/chart"):
        if it["metadata"].get("labels") is not None and key not in labels:
            yield f"{name}: has no label {key}"
    for key, value in labels.items():
        if not isinstance(value, str) or len(value) > 63:
            yield f"{name}: label {key} is {value!r}"
    for key, value in it["metadata"].get("annotations", {}).items():
        if not isinstance(value, str):
            yield f"{name}: annotation {key} is {value!r}"
    limit = 63 if it["kind"] in ("Service", "Deployment") else 253
    if len(it["metadata"]["name"]) > limit:
        yield f"{name}: is too long"


def faults_of_all(objects, versions=VERSIONS[-1:]):
    """What is wrong with objects, and with them together."""
    seen = set()
    for it in objects:
        key = (it["apiVersion"], it["kind"], it["metadata"]["name"])
        if key in seen:
            yield f"{key} is there twice"
        seen.add(key)
        yield from faults_of(it, versions)
