"""What an example makes of answers that no sandbox gives, or not when it is wanted."""

import socket
import time

from contract import errors, rpc, status_pb2, trade
from scripted import (
    STATE, Failure, Hold, Scripted, answered, bare, failure, not_found, recorded, unknown,
)
from trial import PATIENCE, Trial, check, finished, kill, wait_for

UNKNOWN = errors.REFUND_OUTCOME_UNKNOWN
NOT_APPLIED = errors.REFUND_OUTCOME_NOT_APPLIED
NOT_ATTEMPTED = errors.REFUND_OUTCOME_NOT_ATTEMPTED
SUCCEEDED = answered(trade.TRADE_STATE_SUCCEEDED)
# Long enough for a few calls with the pauses that an example makes of itself.
SOME = 20


def one(refund, get_refund, expected: str, at_once: bool = False, words: str = ""):
    """A case with a run that leaves the record so; at once: with one call of Refund, though there
    is patience for more."""

    def case(trial: Trial) -> None:
        told = [it(trial) if callable(it) else it for it in get_refund]
        with Scripted(trial, refund, told) as server:
            run = trial.run(server.address, patience=SOME if at_once else PATIENCE)
            trial.left(run, expected)
            calls = server.count("Refund")
            check(calls == 1 if at_once else calls >= 1, f"{calls} Refund calls")
            check(words in run.err, f"stderr does not say {words}: {run.err[-300:]}")

    return case


def record_of(state: int, outcome: int = 0, **fields):
    """GetRefund's answer, of the trial's own refund."""
    return lambda trial: recorded(trial, state, outcome, **fields)


def bare_record(trial: Trial):
    """A success of which the ledger does not say what was refunded."""
    told = recorded(trial, STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_SUCCEEDED)
    for field in ("msn", "amount_minor", "business_id", "ori_order_id"):
        told.refund.ClearField(field)
    return told


def trailer(*packed: tuple[str, bytes], code: int = 9) -> bytes:
    """A status of FAILED_PRECONDITION with details of these types and bytes."""
    status = status_pb2.Status(code=code)
    for kind, value in packed:
        status.details.add(type_url=f"type.googleapis.com/{kind}", value=value)
    return status.SerializeToString()


GOOD = failure("FAILED_PRECONDITION", NOT_APPLIED, errors.NEXT_STEP_FIX_REQUEST).trailer
FAILED_PRECONDITION = bare("FAILED_PRECONDITION").code
OPEN = [record_of(STATE.REFUND_RECORD_STATE_IN_DOUBT)]

CASES = {
    # What settles a refund.
    "a response that says SUCCEEDED": one([SUCCEEDED], [], "DONE", at_once=True),
    "a response that says FAILED": one(
        [answered(trade.TRADE_STATE_FAILED)], [], "DECLINED", at_once=True),
    "an error that says NOT_APPLIED": one(
        [failure("FAILED_PRECONDITION", NOT_APPLIED, errors.NEXT_STEP_FIX_REQUEST)], [],
        "DECLINED", at_once=True),
    "REFUND_NOT_APPLIED of an earlier attempt": one(
        [failure("ABORTED", NOT_APPLIED, errors.NEXT_STEP_REPEAT_SAME_REFUND,
                 errors.ERROR_REASON_REFUND_NOT_APPLIED)], [], "DECLINED", at_once=True),
    "NOT_APPLIED with a reason and a step of a newer server": one(
        [failure("PERMISSION_DENIED", NOT_APPLIED, 99, 99)], [], "DECLINED", at_once=True),
    "GetRefund says that it succeeded": one(
        [unknown(0.01)],
        [record_of(STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_SUCCEEDED)],
        "DONE", at_once=True),
    "GetRefund says that it failed": one(
        [unknown(0.01)], [record_of(STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_FAILED)],
        "DECLINED", at_once=True),
    "GetRefund says that it was not applied": one(
        [unknown(0.01)],
        [record_of(STATE.REFUND_RECORD_STATE_NOT_APPLIED, last_error=errors.TradeError(
            reason=errors.ERROR_REASON_REFUND_NOT_APPLIED, refund_outcome=NOT_APPLIED,
            next_step=errors.NEXT_STEP_REPEAT_SAME_REFUND))],
        "DECLINED", at_once=True),

    # What does not.
    "a state of a newer server": one([answered(99)], OPEN, "PENDING"),
    "an outcome of a newer server": one(
        [failure("FAILED_PRECONDITION", 99, 99, 99)], OPEN, "PENDING"),
    "an error without an outcome": one([failure("FAILED_PRECONDITION", 0)], OPEN, "PENDING"),
    "NOT_ATTEMPTED, to be tried again": one(
        [failure("RESOURCE_EXHAUSTED", NOT_ATTEMPTED, errors.NEXT_STEP_RETRY, delay=0.01)],
        [not_found()], "PENDING"),
    "a details trailer that is garbage": one(
        [Failure(FAILED_PRECONDITION, b"\xff\xfe not a status")], OPEN, "PENDING"),
    "a details trailer that is cut": one(
        [Failure(FAILED_PRECONDITION, GOOD[:len(GOOD) // 3])], OPEN, "PENDING"),
    "a TradeError that cannot be read": one(
        [Failure(FAILED_PRECONDITION, trailer(("sunmi.trade.v1.TradeError", b"\x28\xff")))],
        OPEN, "PENDING"),
    "a TradeError in the trailer of another status": one(
        [Failure(bare("INTERNAL").code, GOOD)], OPEN, "PENDING"),
    "GetRefund of a record without its content": one(
        [unknown(0.01)], [lambda trial: bare_record(trial)], "PENDING"),
    "details of another type with the same bytes": one(
        [Failure(FAILED_PRECONDITION, trailer(("sunmi.trade.v2.TradeError", b"\x28\x02")))],
        OPEN, "PENDING"),

    # What no repeating helps.
    "REFUND_IN_FLIGHT names the open one": one(
        [failure("FAILED_PRECONDITION", NOT_ATTEMPTED, errors.NEXT_STEP_RESOLVE_OPEN_REFUND,
                 errors.ERROR_REASON_REFUND_IN_FLIGHT, open_id="R-OPEN-7")], [not_found()],
        "PENDING", at_once=True, words="R-OPEN-7"),
    "UNAUTHENTICATED at once": one(
        [failure("UNAUTHENTICATED", NOT_ATTEMPTED, errors.NEXT_STEP_FIX_DEPLOYMENT)],
        [not_found()], "PENDING", at_once=True),
    "PERMISSION_DENIED at once": one(
        [failure("PERMISSION_DENIED", NOT_ATTEMPTED, errors.NEXT_STEP_FIX_DEPLOYMENT)],
        [not_found()], "PENDING", at_once=True),
    "a request that breaks a rule": one(
        [failure("INVALID_ARGUMENT", NOT_ATTEMPTED, errors.NEXT_STEP_FIX_REQUEST)],
        [not_found()], "PENDING", at_once=True),
}
for name in ["CREATED", "UNPAID", "PROCESSING", "UNSPECIFIED", "ENDED"]:
    state = trade.TradeState.Value(f"TRADE_STATE_{name}")
    CASES[f"a response that says {name}"] = one([answered(state)], OPEN, "PENDING")
for name in ["ABORTED", "CANCELLED", "UNKNOWN", "UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED",
             "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "UNAUTHENTICATED"]:
    CASES[f"{name} without TradeError"] = one([bare(name)], [bare(name)], "PENDING")


def case(function):
    """Enters a case under its name."""
    CASES[function.__name__.replace("_", " ")] = function
    return function


@case
def UNKNOWN_and_then_UNAUTHENTICATED_to_all(trial: Trial) -> None:
    refused = failure("UNAUTHENTICATED", NOT_ATTEMPTED, errors.NEXT_STEP_FIX_DEPLOYMENT)
    with Scripted(trial, [unknown(0.01), refused], [refused]) as server:
        trial.left(trial.run(server.address, patience=SOME), "PENDING")
    # The next run finds out.
    settled = recorded(trial, STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_SUCCEEDED)
    with Scripted(trial, [SUCCEEDED], [settled], called_before=True) as server:
        trial.left(trial.resume(server.address), "DONE")
        check(server.count("Refund") == 0, "it was sent though GetRefund had settled it")


@case
def every_open_state_of_GetRefund_leaves_it_open(trial: Trial) -> None:
    told = [
        recorded(trial, STATE.REFUND_RECORD_STATE_CLAIMED),
        recorded(trial, STATE.REFUND_RECORD_STATE_IN_DOUBT, last_error=errors.TradeError(
            reason=errors.ERROR_REASON_REFUND_OUTCOME_UNKNOWN, refund_outcome=UNKNOWN,
            next_step=errors.NEXT_STEP_REPEAT_SAME_REFUND), needs_person=True),
        recorded(trial, STATE.REFUND_RECORD_STATE_PROCESSING, trade.TRADE_STATE_PROCESSING),
        recorded(trial, STATE.REFUND_RECORD_STATE_SETTLED, 99),
        recorded(trial, 99),
    ]
    with Scripted(trial, [unknown(0.01)] * len(told) + [SUCCEEDED], told) as server:
        trial.left(trial.run(server.address, patience=SOME), "DONE")
        calls = [call.rpc for call in server.calls]
        check(calls == ["Refund", "GetRefund"] * len(told) + ["Refund"], f"called {calls}")


@case
def GetRefund_of_another_refund_under_the_number_settles_nothing(trial: Trial) -> None:
    other = recorded(trial, STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_SUCCEEDED,
                     amount_minor=trial.amount + 1)
    reused = failure("FAILED_PRECONDITION", NOT_ATTEMPTED, errors.NEXT_STEP_FIX_REQUEST,
                     errors.ERROR_REASON_REFUND_ORDER_ID_REUSED)
    trial.write("PENDING")
    with Scripted(trial, [reused], [other], called_before=True) as server:
        trial.left(trial.resume(server.address), "PENDING")


def disputed(state: int, outcome: int, why: str):
    """A case with a record of which Sunmi says the opposite: only a person can tell."""

    def case(trial: Trial) -> None:
        trial.write("PENDING")
        told = recorded(trial, state, outcome, dispute=why)
        # Refund would repeat the record, without the dispute.
        replayed = answered(outcome or trade.TRADE_STATE_FAILED)
        with Scripted(trial, [replayed], [told], called_before=True) as server:
            run = trial.resume(server.address, patience=SOME)
            trial.left(run, "PENDING")
            check(why in run.err, f"stderr does not say {why}: {run.err[-300:]}")
            calls = [call.rpc for call in server.calls]
            check(calls == ["GetRefund"], f"called {calls}")

    return case


CASES["a failure that Sunmi contradicts"] = disputed(
    STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_FAILED,
    "Sunmi has it as succeeded, after it failed")
CASES["a success that Sunmi contradicts"] = disputed(
    STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_SUCCEEDED,
    "Sunmi has it as failed, after it succeeded")
CASES["not applied, which Sunmi contradicts"] = disputed(
    STATE.REFUND_RECORD_STATE_NOT_APPLIED, 0, "Sunmi has it as failed, after it was not applied")


@case
def a_number_that_the_ledger_does_not_know_is_sent(trial: Trial) -> None:
    trial.write("PENDING")
    with Scripted(trial, [SUCCEEDED], [not_found()], called_before=True) as server:
        trial.left(trial.resume(server.address), "DONE")
        check(server.count("Refund") == 1, f"{server.count('Refund')} Refund calls")


@case
def a_caller_that_may_not_ask_repeats(trial: Trial) -> None:
    denied = failure("PERMISSION_DENIED", 0, errors.NEXT_STEP_FIX_DEPLOYMENT,
                     errors.ERROR_REASON_CALLER_NOT_ALLOWED)
    with Scripted(trial, [unknown(0.01), unknown(0.01), SUCCEEDED], [denied]) as server:
        trial.left(trial.run(server.address, patience=SOME), "DONE")
        check(server.count("Refund") == 3, f"{server.count('Refund')} Refund calls")


@case
def a_restart_with_the_same_content_asks_first(trial: Trial) -> None:
    trial.write("PENDING")
    settled = recorded(trial, STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_SUCCEEDED)
    with Scripted(trial, [SUCCEEDED], [settled], called_before=True) as server:
        trial.left(trial.run(server.address), "DONE")
        check(server.count("Refund") == 0, "it was sent though GetRefund had settled it")


@case
def the_delay_that_the_server_asks_for_is_waited(trial: Trial) -> None:
    with Scripted(trial, [unknown(2), SUCCEEDED], [not_found()]) as server:
        trial.left(trial.run(server.address, patience=SOME), "DONE")
        waited = server.calls[1].at - server.calls[0].at
        check(1.9 < waited < 4, f"{waited:.1f} s were waited, and not 2")


def delayed(seconds: int = 0, nanos: int = 0):
    """A case with a delay that the contract may have, and no server asks for."""

    def case(trial: Trial) -> None:
        delay = rpc.RetryInfo()
        delay.retry_delay.seconds, delay.retry_delay.nanos = seconds, nanos
        status = status_pb2.Status.FromString(unknown().trailer)
        status.details.add().Pack(delay)
        said = Failure(bare("UNKNOWN").code, status.SerializeToString())
        with Scripted(trial, [said], [not_found()]) as server:
            trial.left(trial.run(server.address, patience=2), "PENDING")
            check(len(server.calls) < 10, f"{len(server.calls)} calls in 2 s")

    return case


CASES["a delay beyond all bounds is cut"] = delayed(315_576_000_000)
CASES["a delay that is none of the contract's"] = delayed(2**63 - 1, 2**31 - 1)
CASES["a delay of no time"] = delayed()
CASES["a delay below zero"] = delayed(-5, -1)


@case
def what_it_is_wanted_besides_is_named_in_the_next_run(trial: Trial) -> None:
    in_flight = failure("FAILED_PRECONDITION", NOT_ATTEMPTED, errors.NEXT_STEP_RESOLVE_OPEN_REFUND,
                        errors.ERROR_REASON_REFUND_IN_FLIGHT, open_id="R-8")
    with Scripted(trial, [in_flight], [not_found()]) as server:
        trial.left(trial.run(server.address), "PENDING")
    flags = [*trial.flags(), "--besides", "R-8,R-9"]
    with Scripted(trial, [SUCCEEDED], [not_found()], called_before=True,
                  besides=["R-8", "R-9"]) as server:
        trial.left(trial.run(server.address, *flags), "DONE")


@case
def a_kill_before_the_answer_leaves_it_pending_and_resume_finds_out(trial: Trial) -> None:
    with Scripted(trial, [Hold()], [Hold()]) as server:
        process = trial.start(server.address, timeout=40)
        held = server.held.wait(30)
        kill(process)
        check(held, "no call came")
    check(trial.outcome() == "PENDING", f"the record says {trial.outcome()}")
    settled = recorded(trial, STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_SUCCEEDED)
    with Scripted(trial, [SUCCEEDED], [settled], called_before=True) as server:
        trial.left(trial.resume(server.address), "DONE")
        check(server.count("Refund") == 0, "it was sent though GetRefund had settled it")


@case
def no_answer_within_the_deadline(trial: Trial) -> None:
    with Scripted(trial, [Hold()], [not_found()]) as server:
        trial.left(trial.run(server.address, timeout=1), "PENDING")


@case
def a_server_that_does_not_listen_yet_is_waited_for(trial: Trial) -> None:
    # Bound and not listening: the port is kept, and connections are refused.
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{kept.getsockname()[1]}"
        process = trial.start(address, patience=SOME, timeout=SOME)
        # No sign is waited for: that the call outlasts this time is what is tested.
        time.sleep(2)
        with Scripted(trial, [SUCCEEDED], [not_found()], address) as server:
            trial.left(finished(process), "DONE")
            calls = [call.rpc for call in server.calls]
            check(calls == ["Refund"], f"the first call failed; then came {calls}")


@case
def a_token_is_read_for_each_call(trial: Trial) -> None:
    token = trial.place / "token"
    token.write_text("first-token-000000\n")
    flags = [*trial.flags(), "--token-file", token]

    with Scripted(trial, [unknown(1.5), SUCCEEDED], [not_found()]) as server:
        process = trial.start(server.address, *flags, patience=SOME)
        wait_for(lambda: server.calls)
        token.write_text("second-token-00000\n")
        trial.left(finished(process), "DONE")
        sent = [call.metadata.get("authorization") for call in server.calls]
        check(sent[0] == "Bearer first-token-000000", f"{sent[0]} was sent")
        check(set(sent[1:]) == {"Bearer second-token-00000"}, f"then {sent[1:]} was sent")


@case
def an_amount_beyond_what_a_double_holds_arrives_whole(trial: Trial) -> None:
    trial.amount = 2**53 + 1
    with Scripted(trial, [SUCCEEDED], []) as server:
        trial.left(trial.run(server.address), "DONE")
