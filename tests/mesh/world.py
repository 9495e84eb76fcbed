"""The processes that the checks run: PostgreSQL, the sandbox, replicas, Envoy.

Everything lives in one temporary folder, on the loopback or on Unix sockets, and ends with
the `World` that started it.
"""

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from functools import cached_property
from glob import glob
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CREDENTIALS = {"SUNMI_TRADE_APP_ID": "sandbox", "SUNMI_TRADE_APP_KEY": "sandbox-key"}

# Short, so that a hanging call is given up within a second and a dead replica's lease (the
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


class Folder:
    """A temporary folder, and the processes in it."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="sunmi-mesh-"))
        self.path.chmod(0o755)
        self.exits = ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.exits.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name):
        return self.path / name

    @cached_property
    def postgres(self):
        """One for all."""
        return Postgres(self)

    def start(self, name, command, env=None, user=None):
        """Starts a process whose output goes to NAME.log, and which ends with the folder."""
        with open(self.file(f"{name}.log"), "ab") as log:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.path,
                env={"PATH": os.environ["PATH"], **(env or {})}, user=user, group=user,
            )
        self.exits.callback(end, process)
        return process

    def log(self, name):
        file = self.file(f"{name}.log")
        return file.read_text(errors="replace") if file.exists() else ""


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(what, seconds=20.0):
    """What `what` comes to, once that is true."""
    until = time.monotonic() + seconds
    while not (value := what()):
        if time.monotonic() > until:
            raise TimeoutError("waited in vain")
        time.sleep(0.02)
    return value


class Postgres:
    """A throw-away cluster on a Unix socket."""

    def __init__(self, folder):
        self.bin = Path(sorted(glob("/usr/lib/postgresql/*/bin"))[-1])
        # It refuses to run as root.
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self.home = folder.file("pg")
        self.home.mkdir()
        if os.getuid() == 0:
            shutil.chown(self.home, self.user, self.user)
        data = self.home / "data"
        quiet = {"stdout": subprocess.DEVNULL, "cwd": self.home, "user": self.user}
        init = [self.bin / "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-D", data]
        subprocess.run(init, check=True, **quiet)
        server = [self.bin / "postgres", "-D", data, "-k", self.home, "-c", "listen_addresses="]
        user = self.user if os.getuid() == 0 else None
        process = folder.start("postgres", server, user=user)
        # SIGTERM alone would wait for its clients.
        folder.exits.callback(process.send_signal, signal.SIGINT)
        wait_for(lambda: (self.home / ".s.PGSQL.5432").exists() and self.answers())

    def run(self, sql):
        command = [self.bin / "psql", "-X", "-q", "-h", self.home, "-U", "postgres", "-c", sql]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run(command, **quiet).returncode == 0

    def answers(self):
        return self.run("SELECT 1")

    def create(self, database):
        if not self.run(f'CREATE DATABASE "{database}"'):
            raise RuntimeError(f"cannot create database {database}")
        return f"postgres://postgres@localhost/{database}?host={self.home}"

    def cut_off(self, database):
        """From now on nobody reaches the database."""
        self.run(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
        self.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        )


class Sandbox:
    """The stand-in for Sunmi, whose books are the judge."""

    def __init__(self, folder, binary, name):
        self.process = folder.start(
            name, [binary, "sandbox", "--listen", "127.0.0.1:0"], CREDENTIALS
        )
        address = wait_for(lambda: re.search(r"address=(\S+)", folder.log(name)))[1]
        self.url = f"http://{address}"
        self.end = lambda: end(self.process)

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)

    def pay(self, order_id):
        self.ask("POST", "/sandbox/orders", {"order_id": order_id, "amount": 10_000})

    def spoil(self, fault):
        """Every refund from now on goes wrong like this, until `heal`."""
        if fault:
            fault = {"endpoint": "refund", "times": 1_000, **fault}
            self.ask("POST", "/sandbox/faults", fault)

    def heal(self):
        self.ask("DELETE", "/sandbox/faults")

    def executions(self):
        """How often each refund number moved money."""
        counts = {}
        for execution in self.ask("GET", "/sandbox/books")["executions"]:
            number = execution["order_id"]
            counts[number] = counts.get(number, 0) + 1
        return counts


class Replica:
    """The real server."""

    def __init__(self, folder, binary, name, sandbox_url, ledger, settings=None):
        self.folder, self.binary, self.name = folder, binary, name
        ledger = {"SUNMI_TRADE__REFUND__LEDGER": ledger}
        self.env = {**CREDENTIALS, **SETTINGS, **ledger, **(settings or {})}
        self.arguments = ["serve", "--upstream-base-url", sandbox_url]
        self.address = "127.0.0.1:0"
        self.start()

    def start(self):
        before = len(self.folder.log(self.name))
        command = [self.binary, *self.arguments, "--listen", self.address]
        self.process = self.folder.start(
            self.name, [*command, "--admin-listen", "127.0.0.1:0"], self.env
        )
        serving = re.compile(r"serving address=(\S+) admin=")
        self.address = wait_for(lambda: serving.search(self.folder.log(self.name)[before:]))[1]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def lines(self, rpc, request_id):
        """How many calls of this id it has logged: its handler's count."""
        words = (f'/{rpc}"', f'request_id="{request_id}"')
        lines = self.folder.log(self.name).splitlines()
        return sum(all(word in line for word in words) for line in lines)
