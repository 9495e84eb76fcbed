"""A real Kubernetes API server on loopback, with the custom resources of all meshes, and what talks to it."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/sunmi-trade"
SCHEMAS = pathlib.Path(os.environ.get("CRD_SCHEMAS", ROOT.parent / "shared/schemas"))
KUBERNETES, GATEWAY, ISTIO = (pathlib.Path(os.environ[name]) for name in ("KUBERNETES", "GATEWAY", "ISTIO"))
HELMS = json.loads(os.environ["HELMS"])
PATIENCE = 60  # seconds, for whatever should take a few

# Of these there are schemas, and no files of their makers.
BY_SCHEMA = ("monitoring.coreos.com", "policy.linkerd.io")


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def until(what, holds):
    """Waits for something that is true in a moment."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if found := holds():
                return found
        except (OSError, ValueError):
            pass
        time.sleep(0.1)
    raise TimeoutError(f"never: {what}")


class Failed(Exception):
    """What a program said."""


def run(command, stdin=None, env=None):
    ran = subprocess.run([str(it) for it in command], input=stdin, env=env, capture_output=True, text=True)
    if ran.returncode:
        raise Failed(f"{command[0]} {command[1]}: {ran.stderr.strip()}\n{ran.stdout.strip()}")
    return ran.stdout


class World:
    """etcd and an API server, ended together."""

    def __init__(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        self.processes = []
        self.kubeconfig = self.folder / "kubeconfig"

    def spawn(self, name, command, env=None):
        """Starts a program whose output goes to a file."""
        log = open(self.folder / f"{name}.log", "w")
        process = subprocess.Popen([str(it) for it in command], stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                                   env={**os.environ, **(env or {})})
        self.processes.append(process)
        return process

    def log_of(self, name):
        return (self.folder / f"{name}.log").read_text()[-2000:]

    def start(self):
        etcd, peers, port = free_port(), free_port(), free_port()
        address = f"http://127.0.0.1:{etcd}"
        self.spawn("etcd", ["etcd", "--data-dir", self.folder / "etcd", "--listen-client-urls", address, "--advertise-client-urls", address,
                            "--listen-peer-urls", f"http://127.0.0.1:{peers}", "--unsafe-no-fsync"])
        key = self.folder / "sa.key"
        run(["openssl", "genrsa", "-out", key, "2048"])
        run(["openssl", "rsa", "-in", key, "-pubout", "-out", self.folder / "sa.pub"])
        (self.folder / "tokens.csv").write_text("admin-token,admin,admin,system:masters\n")
        self.spawn("kube-apiserver", [
            KUBERNETES / "kube-apiserver", "--etcd-servers", address, "--cert-dir", self.folder / "certs",
            "--bind-address", "127.0.0.1", "--secure-port", port, "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", self.folder / "sa.pub", "--service-account-signing-key-file", key,
            "--service-cluster-ip-range", "10.96.0.0/16,fd00:10:96::/112", "--authorization-mode", "RBAC", "--token-auth-file", self.folder / "tokens.csv",
            "--allow-privileged=true", "--disable-admission-plugins=ServiceAccount",
        ])
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "it", "user": {"token": "admin-token"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }))
        until("an API server that is ready", lambda: self.ready())
        return self

    def ready(self):
        try:
            return self.kubectl("get", "--raw", "/readyz") == "ok"
        except Failed:
            if any(process.poll() is not None for process in self.processes):
                raise SystemExit(f"ended: {self.log_of('etcd')}\n{self.log_of('kube-apiserver')}")
            return False

    def kubectl(self, *arguments, stdin=None):
        return run(["kubectl", "--kubeconfig", self.kubeconfig, *arguments], stdin)

    def helm(self, version, *arguments, stdin=None):
        cache = {"HELM_CACHE_HOME": str(self.folder / "helm"), "HELM_CONFIG_HOME": str(self.folder / "helm"), "HELM_DATA_HOME": str(self.folder / "helm")}
        return run([HELMS[version], *arguments, "--kubeconfig", self.kubeconfig], stdin, {**os.environ, **cache})

    def apply(self, objects):
        text = yaml.safe_dump_all(objects, sort_keys=False) if not isinstance(objects, str) else objects
        return self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def end(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.scratch.cleanup()


def certify(certificate, key):
    """A certificate of its own."""
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90", "-subj", "/CN=localhost",
         "-keyout", key, "-out", certificate])


def http(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()
