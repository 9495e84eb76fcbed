"""The worked examples in clients/, with a retry policy that repeats on every status."""

import json
import subprocess

from through_envoy import HANGS, fault
from world import ROOT, SETTINGS, Replica, Sandbox

EVERYTHING = ROOT / "tests/mesh/retry-everything.json"
RECOMMENDED = ROOT / "docs/grpc-service-config.json"

# What goes wrong, the call's time, and whether the sandbox executes.
FAULTS = [
    ("S03 after executing", fault({"code": "S03"}), 3_000, True),
    ("HTTP 502 after executing", fault({"http": {"status": 502}}), 3_000, True),
    ("close after executing", fault("close"), 3_000, True),
    ("hangs after executing", HANGS, 3_000, True),
    ("hangs after executing, short deadline", HANGS, 800, True),
    ("S03 before executing", fault({"code": "S03"}, execute=False), 3_000, False),
    ("R03", fault({"code": "R03"}, execute=False), 3_000, False),
    ("E22", fault({"code": "E22"}, execute=False), 3_000, False),
]
UNREACHABLE = "nothing listens upstream"

# No server asks to be called again sooner, so that it is not.
ONCE = 1
# As often as the policy has gRPC call.
ATTEMPTS = 5


def go():
    return [ROOT / "target/mesh/client-go"]


def java():
    target = ROOT / "clients/java/target"
    # The interpreter and one compiler are enough for a call.
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
    path = f"{target}/classes:{target}/dependency/*"
    return ["java", *quick, "-cp", path, "com.sunmi.trade.example.Refund"]


LANGUAGES = {"grpc-go": go, "grpc-java": java}


class Lane:
    """One client against one server of a build, with a sandbox."""

    def __init__(self, folder, binary, language):
        self.language = language
        self.build = binary.name
        name = f"{language}-{self.build}"
        self.sandbox = Sandbox(folder, binary, f"sandbox-{name}")
        ledger = f"sqlite://{folder.file(name)}.db"
        self.server = Replica(folder, binary, name, self.sandbox.url, ledger)
        self.store = folder.file(f"{name}.refunds")
        self.store.mkdir()

    def end(self):
        self.sandbox.end()
        self.server.kill()

    def began(self, number):
        """As if an earlier run had left the refund pending: it is looked for first. A JVM has its
        slowest call behind it then, before one whose deadline is short."""
        request = {
            "msn": "TL05D91940002", "amountMinor": "100", "oriOrderId": f"PAY-{number}",
            "orderId": number, "businessId": "B-1",
        }
        record = {"outcome": "PENDING", "request": request}
        (self.store / f"{number}.json").write_text(json.dumps(record))

    def call(self, number, config=EVERYTHING, patience=ONCE, timeout_ms=3_000):
        """Runs the example. With little patience it calls Refund once: what comes of it in the
        server beyond that, gRPC has repeated."""
        options = {
            "server": self.server.address, "service-config": config, "store": self.store,
            "number": number, "original": f"PAY-{number}", "amount": 100,
            "timeout": timeout_ms / 1_000, "patience": patience,
        }
        flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [*LANGUAGES[self.language](), *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def measure(self):
        """Of each fault: its name, calls handled, executions, whether it executes."""
        rows = []
        for at, (name, spoiled, timeout_ms, executes) in enumerate(FAULTS):
            number = f"C-{at}"
            self.sandbox.pay(f"PAY-{number}")
            self.sandbox.spoil(spoiled)
            self.began(number)
            self.call(number, timeout_ms=timeout_ms)
            self.sandbox.heal()
            rows.append((name, number, executes))
        executions = self.sandbox.executions()
        self.sandbox.end()
        self.began("LOST")
        self.call("LOST")
        rows.append((UNREACHABLE, "LOST", False))
        return [
            (name, self.server.lines("Refund", number), executions.get(number, 0), executes)
            for name, number, executes in rows
        ]


def check_guarded(report, folder, binary, language):
    """With every retry on: one Refund call, one execution; and GetRefund is repeated."""
    lane = Lane(folder, binary, language)
    check_example(report, lane)
    for name, calls, executed, executes in lane.measure():
        once = calls == 1 and executed == executes
        report.check(once, f"{language}: {name}", f"{calls} call, {executed} executed")
    # The ledger has no such refund, since it could not begin.
    looks = lane.server.lines("GetRefund", "LOST")
    repeated = looks > 0 and looks % ATTEMPTS == 0
    report.check(repeated, f"{language}: repeats a GetRefund", f"{looks} calls")
    lane.end()


def check_example(report, lane):
    """As it should be used: not known at first, asked again with the same number, known."""
    lane.sandbox.pay("PAY-EXAMPLE")
    lost = {"endpoint": "refund", **fault("close")}
    blind = {"endpoint": "query", "times": 40, **fault({"code": "S03"}, execute=False)}
    # The server looks twice before it sends.
    seen = {"endpoint": "query", "times": 2, **fault("normal")}
    lane.sandbox.ask("POST", "/sandbox/faults", [lost, seen, blind])
    run = lane.call("EXAMPLE", RECOMMENDED, patience=30)
    done = run.returncode == 0 and run.stdout == "EXAMPLE done\n"
    unknown = "REFUND_OUTCOME_UNKNOWN" in run.stderr
    executed = lane.sandbox.executions().get("EXAMPLE", 0)
    calls = lane.server.lines("Refund", "EXAMPLE")
    looks = lane.server.lines("GetRefund", "EXAMPLE")
    figures = f"{calls} calls and {looks} looks, {executed} executed"
    passed = done and unknown and executed == 1 and looks > 0
    report.check(passed, f"{lane.language}: the example finds out", figures)
    # A restart is told from the record, and calls nobody.
    again = lane.call("EXAMPLE", RECOMMENDED)
    told = again.returncode == 0 and again.stdout == run.stdout
    silent = lane.server.lines("Refund", "EXAMPLE") == calls
    report.check(told and silent, f"{lane.language}: a settled record is not sent again")
    lane.sandbox.heal()
    if not passed:
        print(run.stdout, run.stderr)


def check_unguarded(report, folder, binary, language):
    """The control: without guards the same client calls, and refunds, several times."""
    lane = Lane(folder, binary, language)
    for name, calls, executed, executes in lane.measure():
        # A short deadline has no time for a second execution.
        many = calls > 1 and (executed > 1 or not executes or "short" in name)
        words = f"{language}, unguarded: {name} is caught"
        report.check(many, words, f"{calls} calls, {executed} executed")
    lane.end()
