"""The definitions of the custom resources: of their makers, or made of schemas."""

import json

import yaml

from world import BY_SCHEMA, GATEWAY, ISTIO, SCHEMAS

PLURALS = {"NetworkAuthentication": "networkauthentications"}


def install(world):
    """Installs all that there are; gives the groups."""
    groups = set()
    definitions = [it for it in yaml.load_all((GATEWAY / "crds.yaml").read_text(), yaml.CSafeLoader) if it and it["kind"] == "CustomResourceDefinition"]
    if (ISTIO / "crds.yaml").exists():
        definitions += [it for it in yaml.load_all((ISTIO / "crds.yaml").read_text(), yaml.CSafeLoader) if it]
    else:
        definitions += by_schema(("networking.istio.io", "security.istio.io"))
    definitions += by_schema(BY_SCHEMA)
    for it in definitions:
        it["metadata"].get("annotations", {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
        groups.add(it["spec"]["group"])
    world.apply(definitions)
    world.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    return groups


def by_schema(groups):
    """Definitions made of the schemas in a folder, by kind."""
    kinds = {}
    for path in sorted(SCHEMAS.glob("*.json")):
        group, version, kind = path.stem.split("_")
        if group in groups:
            kinds.setdefault((group, kind), {})[version] = structural(json.loads(path.read_text()))
    for (group, kind), versions in kinds.items():
        plural = PLURALS.get(kind) or plural_of(kind.lower())
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
                "versions": [
                    {"name": version, "served": True, "storage": version == max(versions, key=age), "schema": {"openAPIV3Schema": schema}}
                    for version, schema in versions.items()
                ],
            },
        }


def plural_of(name):
    return name[:-1] + "ies" if name.endswith("y") else f"{name}s"


def age(version):
    """v1alpha1, v1beta3, v1 in this order."""
    return "alpha" not in version, "beta" not in version and "alpha" not in version, version


def structural(schema, root=True):
    """As an API server wants it: where there is no type, whatever is written is kept."""
    if "type" not in schema:
        return {"x-kubernetes-preserve-unknown-fields": True}
    schema = {key: value for key, value in schema.items() if key not in ("const", "x-kubernetes-preserve-unknown-fields")}
    if "properties" in schema:
        # Unknown fields are pruned without a word on them, and the root has its own three.
        schema.pop("additionalProperties", None)
        own = ("apiVersion", "kind", "metadata") if root else ()
        schema["properties"] = {key: structural(value, False) for key, value in schema["properties"].items() if key not in own}
    elif schema["type"] == "object" and "additionalProperties" not in schema:
        schema["x-kubernetes-preserve-unknown-fields"] = True
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            schema[key] = structural(schema[key], False)
        elif key in schema and schema[key] is False:
            del schema[key]
    return schema
