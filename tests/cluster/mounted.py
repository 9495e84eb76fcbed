"""The configuration that is in the cluster, with its Secrets, given to the server's own check."""

import base64
import subprocess

from server import BINARY

NAME = "trade-sunmi-trade"
SECRETS = "/run/secrets/sunmi-trade"


def taken_by_the_server(world, namespace, folder):
    """What the server finds wrong with it, as its pod would have it."""
    there = lambda kind, name: world.get("--namespace", namespace, kind, name)
    pod = there("deployment", NAME)["spec"]["template"]["spec"]
    mounted = folder / f"mounted-{namespace}"
    for volume in pod["volumes"]:
        if "secret" in volume:
            name = volume["secret"]["secretName"]
            (mounted / name).mkdir(parents=True, exist_ok=True)
            for key, value in there("secret", name)["data"].items():
                (mounted / name / key).write_bytes(base64.b64decode(value))
    env = {}
    for it in pod["containers"][0].get("env", []):
        if reference := it.get("valueFrom", {}).get("secretKeyRef"):
            env[it["name"]] = base64.b64decode(there("secret", reference["name"])["data"][reference["key"]]).decode()
        elif "value" in it:
            env[it["name"]] = it["value"]
    config = folder / f"{namespace}.toml"
    config.write_text(there("configmap", NAME)["data"]["sunmi-trade.toml"].replace(SECRETS, str(mounted)))
    ran = subprocess.run([BINARY, "check-config", "--config", config], env=env, capture_output=True, text=True)
    return ran.stderr.splitlines() if ran.returncode else []
