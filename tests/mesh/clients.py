"""The worked examples in clients/, with a retry policy that repeats on every status."""

import subprocess

from through_envoy import HANGS, fault
from world import ROOT, SETTINGS, Replica, Sandbox

EVERYTHING = ROOT / "tests/mesh/retry-everything.json"
RECOMMENDED = ROOT / "clients/service-config.json"

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


def go(options):
    flags = [f"-{name}={value}" for name, value in options.items() if name != "timeout-ms"]
    flags.append(f"-timeout={options.get('timeout-ms', 10_000)}ms")
    return [ROOT / "target/mesh/client-go", *flags]


def java(options):
    target = ROOT / "clients/java/target"
    properties = [f"-D{name}={value}" for name, value in options.items()]
    # The interpreter and one compiler are enough for a call.
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
    path = f"{target}/classes:{target}/dependency/*"
    return ["java", *quick, "-cp", path, *properties, "com.sunmi.trade.example.RefundExample"]


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

    def end(self):
        self.sandbox.end()
        self.server.kill()

    def call(self, number, config=EVERYTHING, repeats=0, timeout_ms=3_000):
        options = {
            "server": self.server.address, "service-config": config, "number": number,
            "original": f"PAY-{number}", "repeats": repeats, "timeout-ms": timeout_ms,
        }
        command = LANGUAGES[self.language](options)
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def measure(self):
        """Of each fault: its name, calls handled, executions, whether it executes."""
        rows = []
        for at, (name, spoiled, timeout_ms, executes) in enumerate(FAULTS):
            number = f"C-{at}"
            self.sandbox.pay(f"PAY-{number}")
            self.sandbox.spoil(spoiled)
            self.call(number, timeout_ms=timeout_ms)
            self.sandbox.heal()
            rows.append((name, number, executes))
        executions = self.sandbox.executions()
        self.sandbox.end()
        self.call("LOST")
        rows.append((UNREACHABLE, "LOST", False))
        return [
            (name, self.server.lines("Refund", number), executions.get(number, 0), executes)
            for name, number, executes in rows
        ]


def check_guarded(report, folder, binary, language):
    """With every retry on: one Refund call, one execution; and Query is repeated."""
    lane = Lane(folder, binary, language)
    check_example(report, lane)
    for name, calls, executed, executes in lane.measure():
        once = calls == 1 and executed == executes
        report.check(once, f"{language}: {name}", f"{calls} call, {executed} executed")
    calls = lane.server.lines("Query", "LOST")
    report.check(calls == 5, f"{language}: repeats a Query", f"{calls} calls")
    lane.end()


def check_example(report, lane):
    """As it should be used: not known at first, asked again with the same number, known."""
    lane.sandbox.pay("PAY-EXAMPLE")
    lost = {"endpoint": "refund", **fault("close")}
    blind = {"endpoint": "query", "times": 40, **fault({"code": "S03"}, execute=False)}
    # The client's own look at the payment comes before, and the server's two before it sends.
    seen = {"endpoint": "query", "times": 3, **fault("normal")}
    lane.sandbox.ask("POST", "/sandbox/faults", [lost, seen, blind])
    run = lane.call("EXAMPLE", RECOMMENDED, repeats=20)
    told = [line for line in run.stdout.splitlines() if line.startswith("refund")]
    known = run.returncode == 0 and "TRADE_STATE_SUCCEEDED" in told[-1]
    unknown = "REFUND_OUTCOME_UNKNOWN" in told[0]
    executed = lane.sandbox.executions().get("EXAMPLE", 0)
    figures = f"told {len(told)} times, {executed} executed"
    passed = known and unknown and executed == 1 and lane.server.lines("Refund", "EXAMPLE") > 1
    report.check(passed, f"{lane.language}: the example finds out", figures)
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
