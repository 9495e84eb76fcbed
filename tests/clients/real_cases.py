"""What an example makes of the real server: the sandbox's books are the judge."""

import subprocess
from pathlib import Path

from real import World
from trial import Trial, check, finished, kill, wait_for

# For the lease of a dead server, and what comes after it.
LONG = 45
CASES = {}
# Those that take long; they begin first.
SLOW = {}


def case(cases: dict):
    def enter(function):
        cases[function.__name__.replace("_", " ")] = function
        return function

    return enter


def executed(**fault) -> dict:
    """Sunmi makes the refund, and its answer goes wrong."""
    return {"endpoint": "refund", "execute": True, **fault}


def judged(trial: Trial, world: World, run, *expected: str) -> None:
    """The record agrees with the books, and the money moved at most once."""
    moved = world.sandbox.executions(trial.number)
    check(moved <= 1, f"refunded {moved} times")
    outcome = trial.left(run, *expected)
    said = {"DONE": 1, "DECLINED": 0}.get(outcome, moved)
    check(said == moved, f"the record says {outcome}, the books {moved}: {run.err[-600:]}")


@case(CASES)
def a_refund_of_the_real_server(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    judged(trial, world, trial.run(world.shared.address, patience=LONG), "DONE")


@case(CASES)
def more_than_there_is_to_refund(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original, trial.amount - 1)
    judged(trial, world, trial.run(world.shared.address, patience=LONG), "DECLINED")


@case(CASES)
def a_refund_that_fails_at_Sunmi(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    fails = {"endpoint": "refund", "with": {"course": {"seconds": 0, "fails": True}},
             "answer": "normal"}
    world.sandbox.spoil(trial.number, fails)
    run = trial.run(world.shared.address, patience=LONG)
    # The books count what moved, and this one came back.
    trial.left(run, "DECLINED")


@case(CASES)
def a_refund_that_takes_its_time(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    slow = {"endpoint": "refund", "with": {"course": {"seconds": 3}}, "answer": "normal"}
    world.sandbox.spoil(trial.number, slow)
    judged(trial, world, trial.run(world.shared.address, patience=LONG), "DONE")


@case(CASES)
def an_answer_that_is_lost_after_the_execution(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    world.sandbox.spoil(trial.number, executed(answer="reset"))
    judged(trial, world, trial.run(world.shared.address, patience=LONG), "DONE")


@case(CASES)
def a_lost_answer_that_no_query_finds_at_first(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    # The look before the send is answered; those after it are not, beyond the first call.
    look = {"endpoint": "query", "answer": "normal"}
    blind = {"endpoint": "query", "times": 12, "answer": {"code": "S03"}}
    world.sandbox.spoil(trial.number, executed(answer="reset"), look, blind)
    run = trial.run(world.shared.address, patience=LONG, timeout=2)
    judged(trial, world, run, "DONE")


@case(CASES)
def a_number_that_the_server_knows_of_another_refund(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    other = Trial(trial.command, trial.place / "other", trial.number, trial.amount + 1)
    judged(other, world, other.run(world.shared.address, patience=LONG), "DONE")
    # With a store that does not know that.
    trial.left(trial.run(world.shared.address), "PENDING")
    trial.left(trial.resume(world.shared.address), "PENDING")
    check(world.sandbox.executions(trial.number) == 1, "it was refunded again")


@case(SLOW)
def the_server_is_killed_after_the_execution(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    world.sandbox.spoil(trial.number, executed(outlives_caller=True, answer="hang"))
    with world.server() as server:
        process = trial.start(server.address, patience=LONG)
        wait_for(lambda: world.sandbox.executions(trial.number))
        server.kill()
        server.start()
        judged(trial, world, finished(process), "DONE")


@case(SLOW)
def the_server_is_killed_before_the_execution(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    world.sandbox.spoil(trial.number, {"endpoint": "refund", "answer": "hang"})
    with world.server() as server:
        process = trial.start(server.address, patience=LONG)
        wait_for(lambda: world.sandbox.asked_to_refund(trial.number))
        server.kill()
        server.start()
        # It is told that nothing moved; or a repeat was sent after somebody else was told.
        judged(trial, world, finished(process), "DECLINED", "DONE")


@case(SLOW)
def the_example_is_killed_after_the_execution(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    world.sandbox.spoil(trial.number, executed(answer="hang"))
    process = trial.start(world.shared.address, patience=LONG)
    wait_for(lambda: world.sandbox.executions(trial.number))
    kill(process)
    check(trial.outcome() == "PENDING", f"the record says {trial.outcome()}")
    judged(trial, world, trial.resume(world.shared.address, patience=LONG), "DONE")


@case(SLOW)
def the_server_drains_while_it_refunds(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    world.sandbox.spoil(trial.number, executed(answer_delay_ms=500, answer="normal"))
    with world.server() as server:
        process = trial.start(server.address, patience=LONG)
        wait_for(lambda: world.sandbox.executions(trial.number))
        server.process.terminate()
        server.process.wait()
        server.start()
        judged(trial, world, finished(process), "DONE")


def certified(folder: Path) -> str:
    """An authority, a server's and a client's certificate, and a configuration with them."""
    folder.mkdir()

    def openssl(*words: str) -> None:
        command = ["openssl", *words]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.crt")
    for name, san in [("server", "DNS:localhost"), ("client", "DNS:till.example")]:
        (folder / "ext").write_text(f"subjectAltName={san}\n")
        openssl("req", "-new", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-extfile", "ext", "-out", f"{name}.crt")
    (folder / "token").write_text("a-token-of-this-test\n")
    return f"""
[tls]
certificate_file = "{folder}/server.crt"
key_file = "{folder}/server.key"
client_ca_file = "{folder}/ca.crt"
[[callers]]
name = "till"
token_file = "{folder}/token"
rpcs = ["Refund", "GetRefund"]
"""


@case(SLOW)
def with_TLS_a_client_certificate_and_a_token(trial: Trial, world: World) -> None:
    world.sandbox.pay(trial.original)
    folder = trial.place / "certificates"
    with world.server(certified(folder)) as server:
        address = server.address.replace("127.0.0.1", "localhost")
        flags = [*trial.flags(), "--ca", folder / "ca.crt", "--token-file", folder / "token"]
        shown = ["--cert", folder / "client.crt", "--key", folder / "client.key"]
        # Without its certificate it does not get in, and nothing is known of the refund.
        trial.left(trial.run(address, *flags, timeout=2), "PENDING")
        judged(trial, world, trial.run(address, *flags, *shown, patience=LONG), "DONE")
