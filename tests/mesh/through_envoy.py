"""Refunds through Envoy to two replicas on one ledger: what the caller is told, how many
calls reach the replicas, and how often the sandbox moves money."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from google.rpc import status_pb2
from sunmi.trade.v1 import error_pb2, trade_service_pb2 as pb, trade_service_pb2_grpc

from mesh import WAYS, Envoy
from world import Replica, Sandbox

REFUND = "/sunmi.trade.v1.TradeService/Refund"
QUERY = "/sunmi.trade.v1.TradeService/Query"


@dataclass(frozen=True)
class Scenario:
    """What goes wrong with a refund: a fault of the sandbox's script, or the caller."""

    name: str
    fault: dict | None = None
    timeout: float = 3.0
    cancel_after: float | None = None
    # Whether the caller is gone before it is clear what the sandbox does.
    early: bool = False

    def allowed(self):
        """How often it may be executed by the time the caller has its answer."""
        if self.early:
            return (0, 1)
        executes = self.fault is None or self.fault["execute"]
        return (1,) if executes else (0,)


def fault(answer, execute=True, **more):
    return {"answer": answer, "execute": execute, **more}


def before_and_after(name, answer):
    return [
        Scenario(f"{name} before executing", fault(answer, execute=False)),
        Scenario(f"{name} after executing", fault(answer)),
    ]


HANGS = fault("hang")
SLOW = fault("normal", delay_ms=700)
SLOWER = fault("normal", delay_ms=900)
KILLED = "replica killed after executing"
NEVER_DONE = "D01 before executing"
UNREACHABLE = "nothing listens upstream"
NO_LEDGER = "ledger out of reach"
NO_TIME = "no time at all"

SCENARIOS = [
    Scenario("nothing goes wrong"),
    Scenario("slow", SLOW),
    *before_and_after("hangs", "hang"),
    *before_and_after("S03", {"code": "S03"}),
    *before_and_after("F04", {"code": "F04"}),
    *before_and_after("20000", {"code": "20000"}),
    *before_and_after("D01", {"code": "D01"}),
    *before_and_after("HTTP 502", {"http": {"status": 502}}),
    *before_and_after("HTTP 503", {"http": {"status": 503, "retry_after": "1"}}),
    *before_and_after("reset", "reset"),
    *before_and_after("close", "close"),
    Scenario("cut after executing", fault("cut")),
    Scenario("R03", fault({"code": "R03"}, execute=False)),
    Scenario("E22", fault({"code": "E22"}, execute=False)),
    Scenario("hangs after executing, short deadline", HANGS, timeout=0.7),
    Scenario("slow, deadline passes before executing", SLOWER, timeout=0.7, early=True),
    Scenario("too little time to begin", timeout=0.3, early=True),
    # Less than the server keeps back for its answer.
    Scenario(NO_TIME, timeout=0.045, early=True),
    Scenario("caller cancels, hangs after executing", HANGS, cancel_after=0.3),
    Scenario("caller cancels, slow", SLOW, cancel_after=0.3, early=True),
]

# Enough to show what each guard is for.
SHORT = [
    scenario
    for scenario in SCENARIOS
    if scenario.name in ("S03 after executing", "close after executing", "hangs after executing")
]


@dataclass
class Answer:
    """What a caller is told."""

    code: str
    state: int = 0
    error: error_pb2.TradeError | None = None

    def __str__(self):
        if self.code == "OK":
            return pb.TradeState.Name(self.state).removeprefix("TRADE_STATE_")
        if self.error is None:
            return f"{self.code} (not the server's)"
        return error_pb2.ErrorReason.Name(self.error.reason).removeprefix("ERROR_REASON_")

    def is_true(self, executed):
        """Whether what is said of the money agrees with the books."""
        if self.state == pb.TRADE_STATE_SUCCEEDED:
            return executed == 1
        not_applied = error_pb2.REFUND_OUTCOME_NOT_APPLIED
        if self.error is not None and self.error.refund_outcome == not_applied:
            return executed == 0
        return True


class Mesh:
    """Two replicas of one build behind Envoy."""

    def __init__(self, folder, postgres, binary):
        self.build = binary.name
        self.postgres = postgres
        ledger = postgres.create(self.build)
        self.sandbox = Sandbox(folder, binary, f"sandbox-{self.build}")
        self.replicas = [
            Replica(folder, binary, f"{self.build}-{name}", self.sandbox.url, ledger)
            for name in "ab"
        ]
        self.envoy = Envoy(folder, f"envoy-{self.build}", self.replicas)
        self.stubs = {way: stub(self.envoy.target(way)) for way in WAYS}
        # Every refund number, and what went wrong with it.
        self.numbers = {}

    def end(self):
        self.sandbox.end()
        for replica in self.replicas:
            replica.kill()

    def refund(self, way, number, scenario=SCENARIOS[0], call_id=None):
        """Calls Refund once."""
        metadata = [("x-request-id", call_id or number)]
        refund = self.stubs[way].Refund.future
        call = refund(request(number), timeout=scenario.timeout, metadata=metadata)
        if scenario.cancel_after is not None:
            time.sleep(scenario.cancel_after)
            call.cancel()
        return answer(call)

    def executions(self):
        """What the books say, or said when the sandbox ended."""
        if self.sandbox.process.poll() is None:
            self.books = self.sandbox.executions()
        return self.books

    def new_number(self, way, scenario):
        number = f"R-{len(self.numbers)}-{way}"
        self.numbers[number] = scenario
        self.sandbox.pay(f"PAY-{number}")
        return number

    def run(self, scenario, each=1, meanwhile=None):
        """Calls Refund by every way at once; gives (way, number, answer) of each."""
        jobs = [(way, self.new_number(way, scenario.name)) for way in WAYS for _ in range(each)]
        self.sandbox.spoil(scenario.fault)
        with ThreadPoolExecutor(len(jobs)) as pool:
            answers = [(*job, pool.submit(self.refund, *job, scenario)) for job in jobs]
            if meanwhile:
                meanwhile()
        self.sandbox.heal()
        return [(way, number, future.result()) for way, number, future in answers]

    def run_killed(self):
        """Kills the first replica in the middle of its refunds."""

        def kill():
            time.sleep(0.4)
            self.replicas[0].kill()

        return self.run(Scenario(KILLED, HANGS), each=2, meanwhile=kill)

    def calls(self, path=REFUND):
        """How many calls of each id were passed on to a replica."""
        return self.envoy.counts(path)

    def handled(self, number, rpc="Refund"):
        return sum(replica.lines(rpc, number) for replica in self.replicas)


def request(number):
    return pb.RefundRequest(
        msn="M-1", amount_minor=100, ori_order_id=f"PAY-{number}", order_id=number,
        business_id="B-1",
    )


def stub(target):
    # This client's own retries are off: here Envoy's are what is looked at.
    options = [
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),
        # It would be the socket's path, which is no authority to HTTP.
        ("grpc.default_authority", "sunmi-trade"),
    ]
    return trade_service_pb2_grpc.TradeServiceStub(grpc.insecure_channel(target, options))


def answer(call):
    try:
        return Answer("OK", call.result().state)
    except grpc.FutureCancelledError:
        return Answer("CANCELLED")
    except grpc.RpcError:
        pass
    details = dict(call.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    error = None
    for detail in status_pb2.Status.FromString(details).details:
        if detail.Is(error_pb2.TradeError.DESCRIPTOR):
            error = error_pb2.TradeError()
            detail.Unpack(error)
    return Answer(call.code().name, error=error)


def check_guarded(report, mesh):
    """Whatever goes wrong: one call of a replica, one execution at most, a true answer."""
    check_early_headers(report, mesh)
    for scenario in SCENARIOS:
        # The deadline may be over before the call has come through.
        passed_on = (0, 1) if scenario.name == NO_TIME else (1,)
        told = mesh.run(scenario)
        check_once(report, mesh, scenario.name, told, scenario.allowed(), passed_on)
    killed = mesh.run_killed()
    check_once(report, mesh, KILLED, killed, (1,))
    torn = {way for way, _, told in killed if told.error is None and told.code != "OK"}
    report.check(torn == set(WAYS), f"{KILLED}: by every way a call was on it", sorted(torn))
    gone = mesh.run(SCENARIOS[0], each=2)
    # The gateway may count its vain try to connect.
    check_once(report, mesh, "one replica is gone", gone, (1,), passed_on=(1, 2))
    mesh.replicas[0].start()
    check_storm(report, mesh)
    check_ends(report, mesh)
    mesh.sandbox.end()
    check_once(report, mesh, UNREACHABLE, run_without_sandbox(mesh, "LOST"), (0,))
    check_query_is_repeated(report, mesh)
    mesh.postgres.cut_off(mesh.build)
    check_once(report, mesh, NO_LEDGER, run_without_sandbox(mesh, "UNWRITTEN"), (0,))


def check_once(report, mesh, name, told, allowed, passed_on=(1,)):
    executions, passed = mesh.executions(), mesh.calls()
    for way, number, answer in told:
        calls, executed = passed[number], executions.get(number, 0)
        once = calls in passed_on and mesh.handled(number) <= 1 and executed in allowed
        figures = f"{calls} call, {executed} executed, told {answer}"
        report.check(once and answer.is_true(executed), f"{way}: {name}", figures)


def check_early_headers(report, mesh):
    """The headers are there long before the answer."""
    number = mesh.new_number("direct", "hangs")
    mesh.sandbox.spoil(HANGS)
    # As if it were a stream: of a plain call Python shows the headers at the end only.
    refund = grpc.insecure_channel(mesh.replicas[0].address).unary_stream(
        REFUND, pb.RefundRequest.SerializeToString, pb.RefundResponse.FromString
    )
    began = time.monotonic()
    call = refund(request(number), timeout=3)
    call.initial_metadata()
    headers = time.monotonic() - began
    next(call)
    whole = time.monotonic() - began
    mesh.sandbox.heal()
    figures = f"after {headers * 1000:.0f} ms, the answer after {whole * 1000:.0f} ms"
    report.check(headers < 0.5 < 0.9 < whole, "headers come before anything is sent", figures)


def check_storm(report, mesh, seed=None):
    """Many refunds at once, each asked for up to three times, under random faults."""
    seed = seed or random.randrange(1 << 32)
    dice = random.Random(seed)
    faults = [it.fault for it in SCENARIOS if it.fault and it.name != NEVER_DONE]
    for _ in range(60):
        mesh.sandbox.ask(
            "POST", "/sandbox/faults", {"endpoint": "refund", **dice.choice(faults)}
        )
    jobs = []
    for number in [mesh.new_number("storm", "storm") for _ in range(45)]:
        for time_ in range(dice.randint(1, 3)):
            cancel_after = dice.choice([None, None, 0.05, 0.5])
            scenario = Scenario("storm", None, dice.choice([0.7, 3.0]), cancel_after)
            jobs.append((dice.choice(WAYS), number, scenario, f"{number}-{time_}"))
    dice.shuffle(jobs)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda job: mesh.refund(*job), jobs))
    mesh.sandbox.heal()
    executions = mesh.executions()
    calls = mesh.calls()
    most = max(calls[call_id] for *_, call_id in jobs)
    executed = max(executions.get(number, 0) for _, number, *_ in jobs)
    figures = f"{len(jobs)} calls, at most {most} and {executed} executed of each; seed {seed}"
    report.check(most == 1 and executed == 1, "a storm of faults", figures)


def check_ends(report, mesh):
    """Repeated with its number, every refund comes to its end: refunded, once. Only what
    Sunmi says it accepted, and never does, stays as it is, for a person."""

    def repeat(number):
        for time_ in range(20):
            told = mesh.refund("sidecars", number, call_id=f"{number}-again-{time_}")
            if str(told) in ("SUCCEEDED", "PROCESSING"):
                return str(told)
            time.sleep(0.5)
        return str(told)

    with ThreadPoolExecutor(32) as pool:
        told = dict(zip(mesh.numbers, pool.map(repeat, mesh.numbers)))
    executions = mesh.executions()
    wrong = [
        f"{number}, {scenario}: {told[number]}, {executions.get(number, 0)} executed"
        for number, scenario in mesh.numbers.items()
        if (told[number], executions.get(number, 0))
        != (("PROCESSING", 0) if scenario == NEVER_DONE else ("SUCCEEDED", 1))
    ]
    figures = "; ".join(wrong) or f"all {len(told)}"
    report.check(not wrong, "repeated with its number, every refund ends as made once", figures)


def check_query_is_repeated(report, mesh):
    """The control: the same Envoy does repeat a Query that answers UNAVAILABLE."""
    for way in WAYS:
        request = pb.QueryRequest(msn="M-1", order_id="PAY-0")
        metadata = [("x-request-id", f"Q-{way}")]
        call = mesh.stubs[way].Query.future(request, timeout=3, metadata=metadata)
        told = answer(call)
        calls = mesh.calls(QUERY)[f"Q-{way}"]
        handled = mesh.handled(f"Q-{way}", "Query")
        figures = f"{calls} calls, {handled} handled, told {told}"
        report.check(calls == handled == 3, f"{way}: Envoy repeats a Query", figures)


def run_without_sandbox(mesh, prefix):
    jobs = [(way, f"{prefix}-{way}") for way in WAYS]
    return [(*job, mesh.refund(*job)) for job in jobs]


def measure(mesh):
    """For a build that lacks a guard: scenario, way, calls, executions, executions after
    the caller asked again."""
    told = {scenario.name: mesh.run(scenario) for scenario in SHORT}
    told[KILLED] = mesh.run_killed()
    executions = mesh.executions()
    mesh.replicas[0].start()
    asked_again = told["S03 after executing"]
    for way, number, _ in asked_again:
        mesh.refund(way, number, call_id=f"{number}-again")
    after = mesh.executions()
    mesh.sandbox.end()
    told[UNREACHABLE] = run_without_sandbox(mesh, "LOST")
    calls = mesh.calls()
    return [
        (name, way, calls[number], executions.get(number, 0), after.get(number, 0))
        for name, answers in told.items()
        for way, number, _ in answers
    ]
