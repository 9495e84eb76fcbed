"""The commands of docs/deployment.md, in their order, by both Helms, on the API server.

A block is run, or says in its first line why not; a block of YAML is a file that a command takes. Only namespaces
and addresses are others than the page has.
"""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import moving
from mounted import taken_by_the_server
from server import BINARY, GRPCURL, NOWHERE, Process
from world import BY_SCHEMA, HELMS, ROOT, Failed, certify

PAGE = ROOT / "docs/deployment.md"
NOT_RUN = re.compile(r"# not run by the tests: \S")
# Both Helms go through the page at the same time, so each has these for itself.
NAMESPACES = ("payments", "branch", "istio-system")
GRPC, ADMIN = "127.0.0.1:50051", "127.0.0.1:9090"
GIVEN = {"APP_KEY": "old-key", "NEW_APP_KEY": "new-key", "DATABASE_URL": "postgres://user:password@database/refunds?sslmode=require"}
# Of blocks, by a word of theirs, what must be so afterwards.
KEEPS_PODS = "--values callers.yaml"
KEEPS_REPLICAS = "--field-manager=replicas"


class Block:
    def __init__(self, line, kind, text):
        self.line, self.kind, self.text = line, kind, text
        self.where = f"deployment.md:{line}"
        self.first = text.splitlines()[0]

    def is_run(self):
        return self.kind == "sh" and not NOT_RUN.match(self.first)

    def file(self):
        """The file that it is, if it is one."""
        found = self.kind == "yaml" and re.fullmatch(r"# (\S+\.yaml)", self.first)
        return found and found[1]


def blocks():
    text = PAGE.read_text()
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        yield Block(text.count("\n", 0, found.start()) + 1, found[1], found[2])


def run(report, world, groups):
    page = list(blocks())
    report.section("The commands of docs/deployment.md")
    scripts = [it for it in page if it.kind == "bash"]
    report.check("each block is run, or marked", unaccounted(page))
    world.apply([namespace("gateways")])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda version: walk(report, world, version, page, groups), HELMS))
    if scripts:
        moving.run(report, scripts[0].text)


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def unaccounted(page):
    ran = "".join(it.text for it in page if it.is_run())
    for it in page:
        marked = it.kind == "sh" and NOT_RUN.match(it.first)
        script = it.kind == "bash" and it is next(other for other in page if other.kind == "bash")
        used = it.file() and re.search(rf"--(values|filename) {re.escape(it.file())}\b", ran)
        if not (it.is_run() or marked or script or used):
            yield f"{it.where}: neither run nor marked: {it.first}"


class Walk:
    """A folder, a Helm, and namespaces of their own."""

    def __init__(self, world, version):
        self.world, self.short = world, version.split(".")[0]
        self.folder = world.folder / f"page-{self.short}"
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "bin/helm").symlink_to(HELMS[version])
        for name in ("helm", "docs", "proto"):
            (self.folder / name).symlink_to(ROOT / name)
        certify(self.folder / "tls.crt", self.folder / "tls.key")
        own = {f"HELM_{what}_HOME": str(self.folder / "own") for what in ("CACHE", "CONFIG", "DATA")}
        path = [str(self.folder / "bin"), *([os.path.dirname(GRPCURL)] if GRPCURL else []), os.environ["PATH"]]
        self.env = {**os.environ, **GIVEN, **own, "KUBECONFIG": str(world.kubeconfig), "PATH": ":".join(path)}
        self.addresses = {}
        self.mesh()
        self.branch()

    def mesh(self):
        """The namespace that Istio is installed in."""
        self.world.apply([namespace(self.namespace("istio-system"))])

    def branch(self):
        """The namespace that the page says has its Secrets already."""
        name = self.namespace("branch")
        secret = lambda name, **data: {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": self.namespace("branch")}, "stringData": data}
        self.world.apply([
            namespace(name, **{"pod-security.kubernetes.io/enforce": "restricted"}),
            secret("sunmi-keys", **{"app-key": "key"}), secret("caller-tokens", **{"back-office": "0123456789abcdef"}), secret("ledger-database", uri=GIVEN["DATABASE_URL"]),
            secret("server-certificate", **{it: (self.folder / it).read_text() for it in ("tls.crt", "tls.key")}),
        ])

    def namespace(self, name):
        return f"{name}-{self.short}"

    def local(self, text):
        for name in NAMESPACES:
            text = re.sub(rf"\b{name}\b", self.namespace(name), text)
        for documented, real in self.addresses.items():
            text = text.replace(documented, real)
        return text

    def write(self, block):
        (self.folder / block.file()).write_text(self.local(block.text))

    def run(self, block):
        return subprocess.run(["bash", "-euo", "pipefail", "-c", self.local(block.text)], cwd=self.folder, env=self.env, capture_output=True, text=True)

    def plain(self):
        """Brings the release to where the page's overlays begin; gives the Deployment's generation."""
        subprocess.run(["helm", "upgrade", "trade", "helm/sunmi-trade", "--namespace", self.namespace("payments"), "--values", "trade.yaml", "--values", "first.yaml"],
                       cwd=self.folder, env=self.env, check=True, capture_output=True)
        return self.deployment()["metadata"]["generation"]

    def deployment(self, namespace="payments"):
        return self.world.get("--namespace", self.namespace(namespace), "deployment", "trade-sunmi-trade")


def walk(report, world, version, page, groups):
    it = Walk(world, version)
    server = None
    for block in page:
        name = f"{block.where}, helm {version}"
        if block.file():
            it.write(block)
        if not block.is_run():
            continue
        if GRPC in block.text:
            if not (BINARY and GRPCURL):
                report.skip(name, "no server binary was named")
                continue
            server = server or serve(it)
        keeps = KEEPS_PODS in block.text and it.plain()
        ran = it.run(block)
        missing = [group for group in BY_SCHEMA if group not in groups and f'in version "{group}/' in ran.stderr]
        if ran.returncode and missing:
            report.skip(name, f"no schemas of {', '.join(missing)}")
            continue
        report.check(f"{name}: {commands(block)}", [] if ran.returncode == 0 else [*ran.stderr.splitlines(), *ran.stdout.splitlines()])
        if keeps:
            report.check(f"{name}: without a restart", [] if it.deployment()["metadata"]["generation"] == keeps else ["the Deployment was changed"])
        if KEEPS_REPLICAS in block.text and version.startswith("v4"):
            replicas = it.deployment()["spec"]["replicas"]
            report.check(f"{name}: the replicas stay", [] if replicas == 3 else [str(replicas)])
        if BINARY and "helm " in block.text:
            report.check(f"{name}: the server takes it", taken(it, block))
    if server:
        server.end()


def commands(block):
    """What is run, in short."""
    return " ".join(block.text.split())[:90]


def taken(it, block):
    """What the server says of the configuration that is in the cluster now."""
    try:
        return taken_by_the_server(it.world, it.namespace("branch" if " branch" in block.text else "payments"), it.folder)
    except Failed as error:
        return [str(error)]


def serve(it):
    """A server as the chart would run it, but that Sunmi is the sandbox."""
    config = it.folder / "server.toml"
    config.write_text(f"""
[tls]
certificate_file = "{it.folder}/tls.crt"
key_file = "{it.folder}/tls.key"
[[callers]]
name = "back-office"
token_file = "{it.folder}/token.txt"
rpcs = ["Query"]
""")
    server = Process("serve", "--sandbox", "--config", config, *NOWHERE)
    it.addresses = {GRPC: server.address, ADMIN: server.admin()}
    return server
