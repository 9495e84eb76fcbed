"""What says the same in several places: the values, their schema, the README, the server's own documents."""

import json
import re
import subprocess

import yaml

import chart
from chart import CHART, ROOT, container, merged
from validation import faults_of_all

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

# Settings of the server that the chart makes of other values.
DERIVED = {
    "listen", "admin_listen", "reflection", "default_app_id", "callers", "credentials", "admin.page",
    "upstream.environment", "upstream.base_url", "upstream.name", "upstream.money", "upstream.proxy",
    "refund.ledger", "refund.create_ledger", "shutdown.grace",
    "tls.certificate_file", "tls.key_file", "tls.client_ca_file", "tls.client_certificate",
}
READS = {"Query", "SwipeQuery", "GetRefund", "ListRefunds"}


def run(report):
    report.section("Documents")
    ran = subprocess.run([ROOT / ".ci/chart-readme", "--check"])
    report.check("the README's table is what .ci/chart-readme makes", [] if ran.returncode == 0 else ["run it"])
    report.check("every value is described", undescribed())
    report.check("every value is used", unused())
    report.check("the schema knows the values, and the values the schema", out_of_step(VALUES, SCHEMA, ""))
    report.check("the schema refers to nothing remote", re.findall(r'"\$ref": "(?!#)[^"]*', json.dumps(SCHEMA)))
    report.check("the schema is strict", lenient(SCHEMA, ""))
    report.check("config has the server's settings", settings())
    report.check("credentials and callers have the server's settings", tables())
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    said = yaml.safe_load((CHART / "Chart.yaml").read_text())
    report.check("the chart's appVersion is the server's", [] if said["appVersion"] == version else [said["appVersion"]])
    service_config(report)
    examples(report)


def leaves(values, path=""):
    for key, value in values.items():
        where = f"{path}{key}"
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{where}.")
        else:
            yield where


def undescribed():
    described = set(re.findall(r"^\| `([\w.]+)` \|", (CHART / "README.md").read_text(), re.M))
    for leaf in leaves(VALUES):
        parts = leaf.split(".")
        if not any(".".join(parts[: count + 1]) in described for count in range(len(parts))):
            yield leaf


def unused():
    text = "".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())
    for leaf in leaves(VALUES):
        key = leaf.split(".")[-1]
        whole = ("config.", "global", "podSecurityContext", "securityContext", "resources", "strategy", "probes.", "dashboards.labels", "prometheusRule.alerts")
        if not leaf.startswith(whole) and not re.search(rf"\.{key}\b", text):
            yield leaf


def out_of_step(values, schema, path):
    """Values that the schema does not have, and properties that the values do not show."""
    if schema.get("additionalProperties") is not False:
        return
    known = schema["properties"]
    for key in set(values) - set(known):
        yield f"{path}{key} is not in the schema"
    # What only a parent chart sets, and settings and fields whose defaults are others'.
    for key in set(known) - set(values) - {"enabled"}:
        if not path.startswith(("config.", "probes.", "resources.", "strategy.", "lifecycle.")) and path != "config.":
            yield f"{path}{key} is not in the values"
    for key in set(known) & set(values):
        if isinstance(values[key], dict) and values[key] and "properties" in known[key]:
            yield from out_of_step(values[key], known[key], f"{path}{key}.")


def lenient(schema, path):
    """Maps of ours that take whatever is written, unless they are Kubernetes' own."""
    if "properties" in schema and schema.get("additionalProperties") is not False and path not in ("global", "extraEnv[]", "topologySpreadConstraints[]", "grpcRoute.parentRefs[]", "grpcRoute.backendTLSPolicy.caCertificateRefs[]"):
        yield path
    for key, value in schema.get("properties", {}).items():
        yield from lenient(value, f"{path}.{key}".strip("."))
    if isinstance(schema.get("items"), dict):
        yield from lenient(schema["items"], f"{path}[]")


def documented():
    return re.findall(r"^\| `([a-z_.\[\]]+)` \|", (ROOT / "docs/configuration.md").read_text(), re.M)


def settings():
    """Settings of the server that cannot be set, and such that it does not have."""
    plain = {name for name in documented() if "[" not in name}
    known = set()
    for key, value in SCHEMA["properties"]["config"]["properties"].items():
        known |= {f"{key}.{name}" for name in value["properties"]} if "properties" in value else {key}
    for name in sorted(plain - known - DERIVED):
        yield f"{name} cannot be set"
    for name in sorted(known - plain):
        yield f"{name} is not a setting"
    for name in sorted((known & DERIVED)):
        yield f"{name} is made of other values"


def tables():
    """The same of what stands in tables."""
    camel = lambda name: re.sub(r"_(\w)", lambda it: it[1].upper(), name)
    names = {"app_key_file": "key", "token_file": "tokensKey"}
    for table, schema in (("credentials", SCHEMA["properties"]["sunmi"]["properties"]["credentials"]), ("callers", SCHEMA["properties"]["callers"]["properties"]["list"])):
        wanted = {names.get(it, camel(it)) for it in (name.split("[].")[1] for name in documented() if name.startswith(f"{table}[]."))}
        yield from (f"{table}: {name}" for name in wanted ^ (set(schema["items"]["properties"]) - {"existingSecret"}))


def service_config(report):
    text = (CHART / "files/grpc-service-config.json").read_text()
    same = (ROOT / "docs/grpc-service-config.json").read_text() == text
    report.check("docs has the same gRPC service config", [] if same else ["they differ"])
    config = json.loads(text)
    retried = {(name["service"], name["method"]) for it in config["methodConfig"] if "retryPolicy" in it for name in it["name"]}
    known = set()
    for path in (ROOT / "proto").rglob("*_service.proto"):
        proto = path.read_text()
        service = re.search(r"^service (\w+)", proto, re.M)[1]
        known |= {(f"sunmi.trade.v1.{service}", rpc) for rpc in re.findall(r"^  rpc (\w+)", proto, re.M)}
    faults = [*(retried - known), *({method for _, method in retried} ^ READS)]
    report.check("it repeats reads alone", faults)
    rpcs = {method for _, method in known}
    listed = set(SCHEMA["properties"]["grpcRoute"]["properties"]["rpcs"]["items"]["enum"])
    report.check("the chart knows every method of the contract", rpcs ^ listed)


def examples(report):
    """What the README shows, as somebody would copy it."""
    blocks = [yaml.safe_load(it) for it in re.findall(r"^```yaml\n(.*?)^```$", (CHART / "README.md").read_text(), re.M | re.S)]
    production = next(it for it in blocks if "ledger" in it)
    for number, block in enumerate(blocks, 1):
        meshed = {"callers": {"list": []}, "tls": {"enabled": False}} if "mesh" in block else {}
        values = block if block is production else merged(production, meshed, block)
        try:
            faults = list(faults_of_all(chart.render(values)))
        except chart.Refused as error:
            faults = [str(error)]
        report.check(f"the README's example {number} can be installed", faults)
    secrets = re.findall(r"kubectl create secret generic (\S+) --from-(?:file|literal)=([^=]+)=", (CHART / "README.md").read_text())
    objects = chart.render(production)
    text = chart.configuration(objects) + json.dumps(container(objects)["env"])
    report.check("the README's Secrets are those of its example", [it for it in secrets if it[0] not in text or it[1] not in text])
