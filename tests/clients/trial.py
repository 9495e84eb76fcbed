"""One language's example on one refund: its runs, its record, and what is wrong with them."""

import json
import os
import re
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import json_format

from contract import trade

EXIT = {"DONE": 0, "DECLINED": 3, "PENDING": 4}
PATIENCE = 1
TIMEOUT = 5
# A run that takes longer hangs.
LONGEST_RUN = 75


class Wrong(Exception):
    """What a client did that it must not do."""


def check(holds: bool, words: str) -> None:
    if not holds:
        raise Wrong(words)


@dataclass
class Run:
    """What a run of an example left."""

    status: int
    out: list[str]
    err: str


@dataclass
class Trial:
    """A refund of its own, with a store of its own."""

    command: list[str]
    place: Path
    number: str = field(default_factory=lambda: f"R-{uuid.uuid4().hex[:10]}")
    amount: int = 100

    def __post_init__(self):
        self.store = self.place / "store"
        self.store.mkdir(parents=True)
        self.original = f"PAY-{self.number}"

    @property
    def request(self) -> trade.RefundRequest:
        return trade.RefundRequest(
            msn="TL05D91940002", amount_minor=self.amount, ori_order_id=self.original,
            order_id=self.number, business_id="B-1",
        )

    # === runs

    def start(self, server: str, *flags: object, patience=PATIENCE, timeout=TIMEOUT):
        """Starts the example, in a process group of its own."""
        usual = ["--server", server, "--store", self.store]
        limits = ["--patience", patience, "--timeout", timeout]
        words = [*self.command, *usual, *limits, *(flags or self.flags())]
        return subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )

    def flags(self, amount: object = None) -> list[object]:
        amount = self.amount if amount is None else amount
        return ["--number", self.number, "--original", self.original, "--amount", amount]

    def run(self, server: str, *flags: object, **limits) -> Run:
        return finished(self.start(server, *flags, **limits))

    def resume(self, server: str, **limits) -> Run:
        return self.run(server, "--resume", **limits)

    # === records

    def file(self, number: str | None = None) -> Path:
        escaped = re.sub(r"[^A-Za-z0-9_-]", lambda it: f"%{ord(it[0]):02X}", number or self.number)
        return self.store / f"{escaped}.json"

    def write(self, outcome: str, number: str | None = None) -> None:
        """As if an earlier run had left the record so."""
        request = self.request
        request.order_id = number or self.number
        fields = {"outcome": outcome, "request": json_format.MessageToDict(request)}
        self.file(number).write_text(json.dumps(fields))

    def outcome(self, number: str | None = None) -> str:
        """What the record says; raises Wrong where it is not whole, or of another refund."""
        file = self.file(number)
        wanted = self.request
        wanted.order_id = number or self.number
        try:
            fields = json.loads(file.read_text())
            request = json_format.ParseDict(fields["request"], trade.RefundRequest())
        except Exception as error:
            raise Wrong(f"no record in {file.name}: {type(error).__name__}: {error}") from error
        request.ClearField("acknowledged_open_order_ids")
        check(request == wanted, f"the record has other content: {request}")
        check(fields["outcome"] in EXIT, f"the record says {fields['outcome']}")
        return fields["outcome"]

    # === judgement

    def left(self, run: Run, *expected: str) -> str:
        """The record says one of these, and so do the line and the exit status."""
        outcome = self.outcome()
        words = " or ".join(expected)
        check(outcome in expected, f"{words} expected, the record says {outcome}: {run.err[-600:]}")
        line = f"{self.number} {outcome.lower()}"
        check(run.out == [line], f"'{line}' expected on stdout, {run.out} came")
        check(run.status == EXIT[outcome], f"exit status {run.status} of {outcome}")
        return outcome

    def refused(self, run: Run, *statuses: int) -> None:
        """The run ended before it could say anything of a refund."""
        wrong = f"exit status {run.status}, stdout {run.out}: {run.err[-600:]}"
        if statuses:
            check(run.status in statuses, wrong)
        # These say that it is settled.
        check(run.status not in (EXIT["DONE"], EXIT["DECLINED"]) and not run.out, wrong)


def wait_for(what, seconds: float = 30.0):
    """What `what` comes to, once that is true."""
    until = time.monotonic() + seconds
    while not (value := what()):
        check(time.monotonic() < until, "waited in vain")
        time.sleep(0.02)
    return value


def finished(process: subprocess.Popen, seconds: float = LONGEST_RUN) -> Run:
    """Waits for the end of a run."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        raise Wrong(f"did not end within {seconds} s") from None
    return Run(process.returncode, out.splitlines(), err)


def kill(process: subprocess.Popen) -> None:
    """As a machine's end does, whatever wrappers the example runs under."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()
