"""What an example makes of trouble around it: another process, its streams, its token."""

import subprocess

from contract import trade
from scripted import STATE, Hold, Scripted, answered, not_found, recorded, unknown
from trial import EXIT, Trial, check, finished, kill, wait_for

SUCCEEDED = answered(trade.TRADE_STATE_SUCCEEDED)
# Long enough for a few calls with the pauses that an example makes of itself.
SOME = 20
CASES = {}


def a_record_that_another_process_works_on_is_left_to_it(trial: Trial) -> None:
    with Scripted(trial, [Hold()], [Hold()]) as server:
        first = trial.start(server.address, patience=60, timeout=40)
        try:
            check(server.held.wait(30), "no call came")
            # Of two, one could be told that no money moved while the other sends it again.
            trial.left(trial.run(server.address), "PENDING")
            resumed = trial.resume(server.address)
            check(resumed.status == EXIT["PENDING"], f"exit status {resumed.status} of --resume")
            check(len(server.calls) == 1, f"both called: {[call.rpc for call in server.calls]}")
        finally:
            kill(first)
    settled = recorded(trial, STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_SUCCEEDED)
    with Scripted(trial, [], [settled], called_before=True) as server:
        trial.left(trial.resume(server.address), "DONE")


CASES["a record that another process works on is left to it"] = (
    a_record_that_another_process_works_on_is_left_to_it)


def with_streams(redirection: str):
    """A case with these streams: the exit status is wrong about no refund."""

    def case(trial: Trial) -> None:
        with Scripted(trial, [unknown(0.01), SUCCEEDED], [not_found()]) as server:
            command, trial.command = trial.command, ["sh", "-c", f'exec "$@" {redirection}', "sh"]
            trial.command += command
            run = finished(trial.start(server.address, patience=SOME))
            outcome = trial.outcome()
            check(server.count("Refund") > 0, f"nothing was sent: {run.err[-300:]}")
        said = {0: "DONE", 3: "DECLINED", 4: outcome, 64: "that nothing was sent"}
        told = said.get(run.status, outcome)
        check(told == outcome, f"exit status {run.status} says {told}, the record {outcome}")

    return case


CASES["stderr on a full disk"] = with_streams("2>/dev/full")
CASES["stdout on a full disk"] = with_streams(">/dev/full")
CASES["both streams on a full disk"] = with_streams(">/dev/full 2>&1")
CASES["stderr that is closed"] = with_streams("2>&-")
CASES["stdout that is closed"] = with_streams(">&-")


def token_becomes(content: bytes | None):
    """A case with a token's file that becomes this after the first call, which may have moved the
    money: it does not end as if nothing had been sent."""

    def case(trial: Trial) -> None:
        token = trial.place / "token"
        token.write_text("first-token-000000\n")
        flags = [*trial.flags(), "--token-file", token]
        with Scripted(trial, [unknown(1.5), unknown(0.1)], [not_found()]) as server:
            process = trial.start(server.address, *flags, patience=6)
            wait_for(lambda: server.calls)
            token.unlink() if content is None else token.write_bytes(content)
            trial.left(finished(process), "PENDING")

    return case


CASES["a token that is gone in between"] = token_becomes(None)
CASES["a token that is empty in between"] = token_becomes(b"")
CASES["a token that is no ASCII text in between"] = token_becomes("ключ-от-кассы\n".encode())
CASES["a token that is no text in between"] = token_becomes(b"\xff\xfe\x00\x01")
