"""Proves against real meshes and real clients that they cannot make a refund happen twice.

Run by .ci/mesh, which builds what this needs. Prints a line for each check.
"""

import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from world import ROOT, Folder

BUILDS = ROOT / "target/mesh"


class Report:
    """What passed and what did not."""

    def __init__(self):
        self.passed, self.failed = 0, 0
        self.lock = threading.Lock()

    def check(self, passed, name, figures=""):
        with self.lock:
            self.passed += bool(passed)
            self.failed += not passed
            print(f"{'ok    ' if passed else 'FAILED'}  {name}: {figures}", flush=True)

    def section(self, title):
        print(f"\n{title}", flush=True)


def generate_stubs(folder):
    """Python's stubs, made from the contract."""
    protos = (ROOT / "proto").rglob("*.proto")
    out = folder.file("stubs")
    out.mkdir()
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}/proto",
               f"--python_out={out}", f"--grpc_python_out={out}", *protos]
    subprocess.run(command, check=True)
    sys.path.insert(0, str(out))


def envoy(report, folder):
    import through_envoy as mesh

    postgres = folder.postgres
    report.section("Through Envoy, to two replicas on one ledger")
    guarded = mesh.Mesh(folder, postgres, BUILDS / "guarded")
    mesh.check_guarded(report, guarded)
    guarded.end()

    report.section("The same without a guard: what each is for")
    measured = {}
    for build in ("unguarded-headers", "unguarded-ledger", "unguarded"):
        lacking = mesh.Mesh(folder, postgres, BUILDS / build)
        measured[build] = mesh.measure(lacking)
        lacking.end()
    for build, rows in measured.items():
        for name in dict.fromkeys(row[0] for row in rows):
            figures = [most(rows, name, way) for way in mesh.WAYS]
            told = ", ".join(
                f"{way} {calls} and {executed}"
                for way, (calls, executed) in zip(mesh.WAYS, figures)
            )
            print(f"        {build}: {name}: calls and executions by {told}")
    check_unguarded(report, mesh, measured)


def most(rows, name, way):
    """The most calls, and executions, that one refund came to."""
    rows = [row for row in rows if row[:2] == (name, way)]
    return max(row[2] for row in rows), max(row[3] for row in rows)


def check_unguarded(report, mesh, measured):
    """The checks above would have failed."""
    istio = ("gateway", "sidecars")
    for name in (*(scenario.name for scenario in mesh.SHORT), mesh.KILLED):
        # Straight to the replicas, Envoy does not repeat what a dying one leaves.
        ways = ("sidecars",) if name == mesh.KILLED else istio
        for way in ways:
            _, executed = most(measured["unguarded"], name, way)
            words = f"unguarded, {way}: {name} is caught"
            report.check(executed > 1, words, f"{executed} executed")
    for way in istio:
        rows = measured["unguarded-headers"]
        calls, _ = most(rows, mesh.UNREACHABLE, way)
        executed = max(row[4] for row in rows if row[1] == way)
        report.check(
            calls == 3 and executed == 1,
            f"no early headers, {way}: Envoy repeats, the ledger holds",
            f"{calls} calls, at most {executed} executed",
        )
        rows = [row for row in measured["unguarded-ledger"] if row[1] == way]
        calls, executed, again = (max(row[at] for row in rows) for at in (2, 3, 4))
        report.check(
            calls == executed == 1 and again == 2,
            f"no ledger, {way}: Envoy does not repeat, the caller's own repeat refunds again",
            f"{calls} call, {executed} executed, {again} when asked again",
        )


def rollout(report, folder):
    import rollout as restarts

    report.section("A rolling restart behind Envoy")
    restarts.check(report, folder, BUILDS / "guarded")


def clients(report, folder):
    import clients as examples

    report.section("Real clients that repeat on every status")
    with ThreadPoolExecutor() as pool:
        for build, check in (
            ("guarded", examples.check_guarded),
            ("unguarded", examples.check_unguarded),
        ):
            lanes = [
                pool.submit(check, report, folder, BUILDS / build, language)
                for language in examples.LANGUAGES
            ]
            for lane in lanes:
                lane.result()


def grpcurl(report, folder):
    """Shows headers first, and in the trailers that nobody should repeat the call."""
    import clients as examples

    report.section("Headers, then trailers")
    lane = examples.Lane(folder, BUILDS / "guarded", "grpcurl")
    lane.sandbox.spoil({"answer": "close", "execute": False})
    request = (
        '{"msn": "M-1", "amount_minor": 1, "ori_order_id": "DEMO-1", "order_id": "G-1",'
        ' "business_id": "B-1"}'
    )
    command = ["grpcurl", "-v", "-plaintext", "-max-time", "2", "-d", request,
               lane.server.address, "sunmi.trade.v1.TradeService/Refund"]
    # .ci/mesh has put it on the path.
    run = subprocess.run(command, capture_output=True, text=True, timeout=30)
    parts = re.split(r"Response (headers|trailers) received:", run.stdout)
    shown = dict(zip(parts[1::2], parts[2::2]))
    headers, trailers = shown.get("headers", ""), shown.get("trailers", "")
    passed = (
        parts[1::2] == ["headers", "trailers"]
        and "content-type: application/grpc" in headers
        and "grpc-retry-pushback-ms: -1" in trailers
        and "grpc-retry-pushback-ms" not in headers
    )
    report.check(passed, "grpcurl sees grpc-retry-pushback-ms: -1 in the trailers")
    if not passed:
        print(run.stdout, run.stderr)
    lane.end()


def main():
    # Asked to stop, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    report = Report()
    with Folder() as folder:
        generate_stubs(folder)
        parts = {"envoy": envoy, "rollout": rollout, "clients": clients, "grpcurl": grpcurl}
        for name in sys.argv[1:] or parts:
            try:
                parts[name](report, folder)
            except Exception as error:
                traceback.print_exc()
                report.check(False, name, f"broke off: {error!r}")
    print(f"\nin {time.monotonic() - began:.0f} s")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
