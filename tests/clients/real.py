"""The real server and its sandbox, in a folder of their own, and what is killed of them."""

import json
import os
import re
import signal
import subprocess
import threading
import urllib.request
from pathlib import Path

from trial import check, wait_for

CREDENTIALS = {"SUNMI_TRADE_APP_ID": "sandbox", "SUNMI_TRADE_APP_KEY": "sandbox-key"}

# Short, so that a call that hangs is given up within a second, and a dead server's lease (the
# ceiling and 5 s) is over soon.
SETTINGS = {
    "SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT": "500ms",
    "SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT": "1s",
    "SUNMI_TRADE__DEADLINES__DEFAULT": "3s",
    "SUNMI_TRADE__DEADLINES__MAX": "3s",
    "SUNMI_TRADE__REFUND__CEILING": "3500ms",
    "SUNMI_TRADE__REFUND__LAG": "200ms",
    "SUNMI_TRADE__REFUND__SETTLE_WINDOW": "1s",
    "SUNMI_TRADE__SHUTDOWN__DELAY": "0s",
}


def start(command: list[object], log: Path, environment: dict[str, str]) -> subprocess.Popen:
    with open(log, "ab") as out:
        return subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            cwd=log.parent, env={"PATH": os.environ["PATH"], **environment},
        )


def address_in(log: Path, process: subprocess.Popen, words: str, since: int = 0) -> str:
    """Where a process listens, once it says so in these words."""

    def told():
        text = log.read_text(errors="replace")[since:]
        check(process.poll() is None, f"did not start: {text[-600:]}")
        return re.search(words + r"address=(127\.0\.0\.1:\d+)", text)

    return wait_for(told)[1]


class Sandbox:
    """The stand-in for Sunmi, whose books are the judge."""

    def __init__(self, folder: Path, binary: Path):
        log = folder / "sandbox.log"
        command = [binary, "sandbox", "--listen", "127.0.0.1:0"]
        self.process = start(command, log, CREDENTIALS)
        self.url = f"http://{address_in(log, self.process, '')}"

    def ask(self, path: str, body: object = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/sandbox/{path}", data, 10) as response:
            return json.load(response)

    def pay(self, order_id: str, amount: int = 10_000) -> None:
        self.ask("orders", {"order_id": order_id, "amount": amount})

    def spoil(self, order_id: str, *faults: dict) -> None:
        self.ask("faults", [{"order_id": order_id, **fault} for fault in faults])

    def executions(self, number: str) -> int:
        books = self.ask("books")
        return sum(execution["order_id"] == number for execution in books["executions"])

    def asked_to_refund(self, number: str) -> bool:
        calls = self.ask("books")["calls"]
        return any(
            call["endpoint"] == "refund" and call["form"].get("orderId") == number
            for call in calls
        )


class Server:
    """The real one, on a SQLite ledger that outlives it."""

    def __init__(self, folder: Path, binary: Path, sandbox: Sandbox, configuration: str = ""):
        folder.mkdir(exist_ok=True)
        self.log, self.address = folder / "server.log", "127.0.0.1:0"
        self.environment = {
            **CREDENTIALS, **SETTINGS,
            "SUNMI_TRADE__REFUND__LEDGER": f"sqlite://{folder}/ledger.db",
        }
        self.command = [binary, "serve", "--upstream-base-url", sandbox.url,
                        "--admin-listen", "127.0.0.1:0"]
        if configuration:
            (folder / "server.toml").write_text(configuration)
            self.command += ["--config", folder / "server.toml"]
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self) -> None:
        since = self.log.stat().st_size if self.log.exists() else 0
        command = [*self.command, "--listen", self.address]
        self.process = start(command, self.log, self.environment)
        self.address = address_in(self.log, self.process, "serving ", since)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class World:
    """A sandbox for all cases, and a server for those that leave it alone."""

    def __init__(self, folder: Path, binary: Path):
        self.folder, self.binary = folder, binary
        self.sandbox = Sandbox(folder, binary)
        self.lock, self.servers = threading.Lock(), 1
        self.shared = Server(folder / "server", binary, self.sandbox)

    def server(self, configuration: str = "") -> Server:
        """One that a case may kill."""
        with self.lock:
            self.servers += 1
            folder = self.folder / f"server-{self.servers}"
        return Server(folder, self.binary, self.sandbox, configuration)

    def end(self) -> None:
        self.shared.kill()
        self.sandbox.process.kill()
        self.sandbox.process.wait()
