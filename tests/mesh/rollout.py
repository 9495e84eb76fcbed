"""A rolling restart of two replicas under load, behind an Envoy that repeats nothing: what it
loses, a caller loses."""

import signal
import threading
from collections import Counter

from sunmi.trade.v1 import trade_service_pb2 as pb

from mesh import Envoy, cluster, tcp
from through_envoy import answer, request, stub
from world import Replica, Sandbox, wait_for

CALLERS = 8
ROUNDS = 2

# Longer than Envoy takes to see that a replica is not ready.
SETTINGS = {"SUNMI_TRADE__SHUTDOWN__DELAY": "1500ms", "SUNMI_TRADE__SHUTDOWN__DRAIN": "10s"}

# As often as a readiness probe is thought to be in a hurry.
HEALTH_CHECK = {
    "timeout": "1s",
    "interval": "0.2s",
    "no_traffic_interval": "0.2s",
    "unhealthy_threshold": 2,
    "healthy_threshold": 1,
    "grpc_health_check": {"service_name": "sunmi.trade.v1.TradeService"},
}


class Balancer(Envoy):
    """Envoy with health checks, and no retries of its own."""

    ways = ("rollout",)

    def config(self, replicas):
        listener = self.listener("rollout", {"num_retries": 0})
        balanced = cluster("rollout", [tcp(replica.address) for replica in replicas])
        # A replica that is not ready gets nothing, even if none is.
        balanced |= {
            "health_checks": [HEALTH_CHECK],
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        }
        return {"static_resources": {"listeners": [listener], "clusters": [balanced]}}


class Load:
    """Callers that call one after the other until they are told to stop."""

    def __init__(self, target, sandbox):
        self.target, self.sandbox = target, sandbox
        self.told, self.lock = Counter(), threading.Lock()
        self.numbers = []
        self.over = threading.Event()
        self.callers = [threading.Thread(target=self.call, args=[at]) for at in range(CALLERS)]
        for caller in self.callers:
            caller.start()

    def call(self, caller):
        service = stub(self.target)
        at = 0
        while not self.over.is_set():
            number = f"ROLL-{caller}-{at}"
            at += 1
            self.sandbox.pay(f"PAY-{number}")
            metadata = [("x-request-id", number)]
            query = pb.QueryRequest(msn="M-1", order_id=f"PAY-{number}")
            given = {"timeout": 3, "metadata": metadata}
            told = [
                ("Query", answer(service.Query.future(query, **given))),
                ("Refund", answer(service.Refund.future(request(number), **given))),
            ]
            with self.lock:
                self.numbers.append(number)
                self.told.update(f"{rpc} {said}" for rpc, said in told)

    def answered(self):
        with self.lock:
            return sum(self.told.values())

    def end(self):
        self.over.set()
        for caller in self.callers:
            caller.join(30)


def restart(replica, load):
    """Asks a replica to stop, and starts it again; gives its exit status."""
    replica.process.send_signal(signal.SIGTERM)
    status = replica.process.wait(20)
    before = len(replica.folder.log(replica.name))
    replica.start()
    # The other one is next only when this one is back in use.
    wait_for(lambda: 'TradeService/Refund"' in replica.folder.log(replica.name)[before:])
    more = load.answered() + 20 * CALLERS
    wait_for(lambda: load.answered() >= more)
    return status


def check(report, folder, binary):
    sandbox = Sandbox(folder, binary, "sandbox-rollout")
    ledger = folder.postgres.create("rollout")
    replicas = [
        Replica(folder, binary, f"rollout-{name}", sandbox.url, ledger, SETTINGS)
        for name in "ab"
    ]
    # Some are under way whenever a replica stops.
    sandbox.ask("POST", "/sandbox/faults", {
        "endpoint": "refund", "times": 1_000_000, "execute": True, "answer": "normal",
        "delay_ms": 40,
    })
    envoy = Balancer(folder, "envoy-rollout", replicas)
    load = Load(envoy.target("rollout"), sandbox)
    try:
        wait_for(lambda: load.answered() > 10 * CALLERS)
        statuses = [restart(replica, load) for _ in range(ROUNDS) for replica in replicas]
    finally:
        load.end()
    report.check(set(statuses) == {0}, "every replica stops in order", f"exits {statuses}")
    lost = {said: times for said, times in load.told.items() if not said.endswith("SUCCEEDED")}
    figures = f"{load.answered()} calls over {len(statuses)} restarts, lost {lost or 'none'}"
    report.check(not lost, "a rolling restart under load loses no call", figures)
    executions = sandbox.executions()
    wrong = [number for number in load.numbers if executions.get(number, 0) != 1]
    figures = f"{len(load.numbers)} refunds, {len(wrong)} not executed once"
    report.check(not wrong, "a rolling restart under load refunds once each", figures)
    for replica in replicas:
        replica.kill()
    sandbox.end()
