"""What an example makes of the words that it is called with."""

from contract import trade
from scripted import Scripted, answered
from trial import Trial, check

SUCCEEDED = answered(trade.TRADE_STATE_SUCCEEDED)
CASES = {}


def amount(written: str, *meant: int):
    """A case with an amount in these words: it is what they mean, or wrong usage."""

    def case(trial: Trial) -> None:
        trial.amount = meant[0] if meant else 0
        with Scripted(trial, [SUCCEEDED], []) as server:
            run = trial.run(server.address, *trial.flags(amount=written))
            sent = [call.request.amount_minor for call in server.calls]
            check(all(it in meant for it in sent), f"{written!r} became {sent}")
            check(run.status == (0 if sent else 64), f"exit status {run.status}: {run.err[-300:]}")

    return case


for words, *numbers in [
    ("0100", 100), ("+5", 5), (" 5", 5), ("１００", 100), (str(2**63 - 1), 2**63 - 1),
    ("0x10",), ("0b11",), ("0o17",), ("1_000",), ("1,000",), ("1e3",), ("1.0",), ("",), ("0",),
    ("-5",), ("NaN",), (str(2**63),), (str(2**64 + 1),),
]:
    CASES[f"an amount written as {words!r}"] = amount(words, *numbers)
