"""The server itself and the sandbox that stands in for Sunmi, as processes, and a caller of them."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

from world import ROOT, Failed, run, until

BINARY = os.environ.get("SUNMI_TRADE")
GRPCURL = os.environ.get("GRPCURL")
NOWHERE = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]


class Process:
    """One of the binary, and where its log says that it serves."""

    def __init__(self, *arguments, env=None):
        self.log = tempfile.NamedTemporaryFile("r", suffix=".log")
        with open(self.log.name, "w") as log:
            self.process = subprocess.Popen([BINARY, *arguments], stderr=log, stdout=log, env=env or {})
        try:
            self.address = until("a server that says where it serves", self.said)
        except BaseException:
            self.process.kill()
            raise

    def said(self, what="address"):
        text = pathlib.Path(self.log.name).read_text()
        if self.process.poll() is not None:
            raise Failed(f"ended: {text}")
        found = re.search(rf"serving.* {what}=(\S+)", text)
        return found and found[1]

    def admin(self):
        return self.said("admin")

    def end(self):
        """Tells it to stop, and gives its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def settings(sandbox, ledger):
    """The environment of a server that has the sandbox for Sunmi."""
    return {
        "SUNMI_TRADE_APP_ID": "sandbox",
        "SUNMI_TRADE_APP_KEY": "sandbox-key",
        "SUNMI_TRADE__UPSTREAM__ENVIRONMENT": "custom",
        "SUNMI_TRADE__UPSTREAM__BASE_URL": f"http://{sandbox}",
        "SUNMI_TRADE__REFUND__LEDGER": ledger,
        # Soon done with what is in doubt.
        "SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT": "900ms",
        "SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT": "1s",
        "SUNMI_TRADE__DEADLINES__DEFAULT": "2s",
        "SUNMI_TRADE__DEADLINES__MAX": "2s",
        "SUNMI_TRADE__REFUND__CEILING": "3s",
        "SUNMI_TRADE__SHUTDOWN__DELAY": "0s",
        "SUNMI_TRADE__SHUTDOWN__DRAIN": "4s",
    }


def call(address, method, request, *options):
    """The messages that came of a call, and the error if there is one."""
    ran = subprocess.run([GRPCURL, "-plaintext", *options, "-import-path", ROOT / "proto", "-proto", "sunmi/trade/v1/trade_service.proto",
                          "-proto", "sunmi/trade/v1/refund_ledger_service.proto", "-d", json.dumps(request), address, f"sunmi.trade.v1.{method}"],
                         capture_output=True, text=True, timeout=60)
    messages, rest, decoder = [], ran.stdout.lstrip(), json.JSONDecoder()
    while rest:
        message, end = decoder.raw_decode(rest)
        messages.append(message)
        rest = rest[end:].lstrip()
    return messages, ran.stderr


def refunds(env, *arguments):
    """What the command line says."""
    return run([BINARY, "refunds", *arguments], env=env)
