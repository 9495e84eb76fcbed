"""The configuration files that the chart makes, checked by the server itself."""

import os
import pathlib
import re
import subprocess
import tempfile
import tomllib

import chart
from chart import PROFILES, container, merged
from combinations import PRODUCTION

SECRETS = "/run/secrets/sunmi-trade"


def run(report):
    report.section("Configurations, by the server's own check")
    binary = os.environ.get("SUNMI_TRADE")
    if not binary:
        return report.skip("configurations", "no server binary was named")
    with tempfile.TemporaryDirectory() as folder:
        for profile in PROFILES:
            objects = chart.render(chart.values_of(profile))
            report.check(profile.name, faults_of(binary, objects, pathlib.Path(folder)))
        awkward(report, binary, pathlib.Path(folder))


def faults_of(binary, objects, folder):
    """What the server says of a configuration, with made-up Secrets where it has them mounted."""
    text = chart.configuration(objects)
    config = tomllib.loads(text)
    for number, path in enumerate(re.findall(re.escape(SECRETS) + r'[^"]+', text)):
        path = folder / path.removeprefix("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"made-up-secret-{number}\n")
    if "certificate_file" in config.get("tls", {}):
        certify(folder / config["tls"]["certificate_file"][1:], folder / config["tls"]["key_file"][1:],
                [folder / it[1:] for it in [config["tls"].get("client_ca_file")] if it])
    file = folder / "sunmi-trade.toml"
    file.write_text(text.replace(SECRETS, f"{folder}{SECRETS}"))
    env = {it["name"]: it.get("value") for it in container(objects).get("env", []) if "value" in it}
    if any(it["name"] == "SUNMI_TRADE__REFUND__LEDGER" for it in container(objects).get("env", [])):
        env["SUNMI_TRADE__REFUND__LEDGER"] = "postgres://user:password@database/refunds?sslmode=require"
    arguments = [it for it in container(objects)["args"][1:] if not it.startswith("--config")]
    ran = subprocess.run([binary, "check-config", f"--config={file}", *arguments], env=env, capture_output=True, text=True)
    if ran.returncode:
        return [ran.stderr]
    return not_in_force(config, tomllib.loads(ran.stdout))


def not_in_force(given, shown, path=""):
    """What was given and is not shown as in force."""
    for key, value in given.items():
        where = f"{path}{key}"
        if isinstance(value, dict):
            yield from not_in_force(value, shown.get(key, {}), f"{where}.")
        elif not isinstance(value, list) and not same(value, shown.get(key)) and not key.endswith("_file"):
            yield f"{where} is {shown.get(key)!r}, and {value!r} was given"


def same(given, shown):
    """Durations may be told in other units, and addresses end with a slash."""
    if isinstance(given, str) and isinstance(shown, str):
        return shown in (given, f"{given}/") or milliseconds(given) == milliseconds(shown) is not None
    return given == shown


def milliseconds(text):
    units = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    found = re.findall(r"(\d+)\s*([a-z]+)", text)
    if not found or any(unit not in units for _, unit in found):
        return None
    return sum(int(count) * units[unit] for count, unit in found)


def certify(certificate, key, authorities):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    for authority in authorities:
        authority.write_bytes(certificate.read_bytes())


def awkward(report, binary, folder):
    """Texts and numbers that TOML writes in another way than YAML."""
    values = merged(PRODUCTION, {
        "sunmi": {"name": 'a "quoted" \\ name & <more>', "credentials": [{"appId": "app-1"}], "proxy": "http://proxy:3128"},
        "config": {"limits": {"calls": 1000000}, "tracing": {"sample_ratio": 0.000001, "endpoint": "http://c:4317"}},
        "callers": {"list": [{"name": "till", "tokensKey": "till", "rpcs": ["Query"], "maxRefundMinor": 123456789012, "maxRefundPerDayMinor": 1234567890123, "ownRefundsOnly": False}]},
    })
    for version in chart.HELMS:
        objects = chart.render(values, version)
        report.check(f"{version}: awkward texts and numbers", faults_of(binary, objects, folder))
