"""The script of docs/deployment.md that moves a ledger from SQLite to PostgreSQL, with a real server on both."""

import json
import os
import sqlite3
import subprocess
import tempfile
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from server import BINARY, NOWHERE, Process, call, refunds, settings
from world import http, run as program, until

TRADE, LEDGER = "TradeService", "RefundLedgerService"
# What CSV, SQL and shells stumble over.
AWKWARD = ['T-"1", "2"', "两台收银机，退", "\\N|\\.", "", "'; DROP TABLE refunds; --", "NULL", "<null>", '""']
DOUBTED = {"msn": "V206D88200036", "amountMinor": 100, "oriOrderId": "DEMO-2", "orderId": "DOUBTED", "businessId": "TILL-7"}


def run(report, script):
    """With `script`, which takes the file and the URL."""
    report.section("From SQLite to PostgreSQL")
    database = os.environ.get("SUNMI_TRADE_TEST_POSTGRES")
    if not (BINARY and database):
        return report.skip("moving a ledger", "no server binary was named" if database else "no PostgreSQL")
    with tempfile.TemporaryDirectory() as folder:
        move(report, Path(folder), script, database)


def move(report, folder, script, database):
    sandbox = Process("sandbox", "--listen", "127.0.0.1:0")
    try:
        old = settings(sandbox.address, f"sqlite://{folder}/ledger.db")
        new = settings(sandbox.address, database)
        cursor = fill(report, sandbox, old)
        before = listed(old)
        states = {it["state"] for it in before}
        report.check("there are refunds in several states", [] if len(before) > len(AWKWARD) and len(states) > 2 else [f"{len(before)}: {states}"])
        file = folder / "move-ledger.sh"
        file.write_text(script)
        copy = lambda: subprocess.run(["bash", file, folder / "ledger.db", database], capture_output=True, text=True)
        ran = copy()
        report.check("nothing is copied to where no server has made a ledger", [] if ran.returncode else [ran.stdout])
        Process("serve", *NOWHERE, env=new).end()
        ran = copy()
        told = f"{len(before)} refunds were copied"
        report.check("the ledger is copied", [] if ran.returncode == 0 and told in ran.stdout else [ran.stdout, ran.stderr])
        after = listed(new)
        report.check("both have the same refunds", [f"{one}\n{other}" for one, other in zip(before, after) if one != other] or ([] if len(before) == len(after) else [str(len(after))]))
        rows = rows_of(folder / "ledger.db"), json.loads(program(["psql", database, "-Atc", "SELECT json_agg(to_jsonb(it) - 'feed') FROM refunds AS it"]))
        report.check("in every column of every row", differing(*rows))
        ran = copy()
        report.check("nothing is copied twice", [] if ran.returncode and len(listed(new)) == len(before) else [ran.stdout])
        serve(report, sandbox, new, before, cursor)
    finally:
        sandbox.end()


def rows_of(file):
    """All columns but the place in the feed, which each database gives anew."""
    with closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        return [{key: it[key] for key in it.keys() if key != "feed"} for it in database.execute("SELECT * FROM refunds")]


def differing(before, after):
    after = {it["order_id"]: it for it in after}
    for row in before:
        there = after.pop(row["order_id"], {})
        yield from (f"{row['order_id']}.{key}: {row.get(key)!r} and {there.get(key)!r}" for key in row.keys() | there.keys() if row.get(key, "none") != there.get(key, "none"))
    yield from after


def refund(number, **more):
    return {"msn": "V206D88200036", "amountMinor": 100, "oriOrderId": "DEMO-1", "orderId": number, "businessId": "TILL-7"} | more


def fill(report, sandbox, env):
    """Makes refunds; gives the cursor of the last one."""
    server = Process("serve", *NOWHERE, env=env)
    for at, text in enumerate(AWKWARD):
        messages, error = call(server.address, f"{TRADE}/Refund", refund(f"MOVED-{at}", amountMinor=1, operator=text or "nobody", reason=text))
        report.check(f"a refund is made: {text!r}", [] if messages else [error])
    call(server.address, f"{TRADE}/Refund", refund("REFUSED", amountMinor=99_999_999))
    # One whose answer is lost, and of which nothing can be asked afterwards.
    fault(sandbox, {"endpoint": "refund", "execute": True, "answer": "hang"})
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(call, server.address, f"{TRADE}/Refund", DOUBTED)
        until("the refund was executed", lambda: DOUBTED["orderId"] in books(sandbox))
        fault(sandbox, {"endpoint": "query", "answer": "reset", "times": 1_000_000})
        _, error = lost.result()
    report.check("a refund is in doubt", [] if "OUTCOME_UNKNOWN" in error else [error])
    messages, _ = watch(server)
    report.check("the server ends", [] if server.end() == 0 else [Path(server.log.name).read_text()])
    return [it["cursor"] for it in messages if "refund" in it][-1]


def watch(server, cursor=""):
    return call(server.address, f"{LEDGER}/WatchRefunds", {"cursor": cursor}, "-max-time", "2")


def fault(sandbox, it):
    request = urllib.request.Request(f"http://{sandbox.address}/sandbox/faults", json.dumps(it).encode())
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.read()


def books(sandbox):
    return http(f"http://{sandbox.address}/sandbox/books")


def listed(env):
    """All rows that the command line lists, by their numbers."""
    rows = [json.loads(it) for it in refunds(env, "list", "--json").splitlines()]
    return sorted(rows, key=lambda it: it["order_id"])


def serve(report, sandbox, env, before, cursor):
    """What callers see of the ledger that was moved."""
    clear = urllib.request.Request(f"http://{sandbox.address}/sandbox/faults", method="DELETE")
    urllib.request.urlopen(clear, timeout=10).close()
    executed = executions(sandbox)
    server = Process("serve", *NOWHERE, env=env | {"SUNMI_TRADE__REFUND__CREATE_LEDGER": "false"})
    try:
        numbers = {it["order_id"] for it in before}
        unseen = {it for it in numbers if not call(server.address, f"{LEDGER}/GetRefund", {"appId": "sandbox", "orderId": it})[0]}
        report.check("GetRefund finds each", unseen)
        for name, place in (("an empty cursor", ""), ("a cursor of before", cursor)):
            told = {it["refund"]["orderId"] for it in watch(server, place)[0] if "refund" in it}
            report.check(f"WatchRefunds tells all of them from {name} on", numbers ^ told)
        messages, error = call(server.address, f"{TRADE}/Refund", refund("MOVED-0", amountMinor=1))
        report.check("a repeat is told what the first was told", [] if messages and messages[0].get("replayed") else [error])
        _, error = call(server.address, f"{TRADE}/Refund", refund("MOVED-0", amountMinor=2))
        report.check("a number stands for its content", [] if "ORDER_ID_REUSED" in error else [error])
        known = lambda: call(server.address, f"{TRADE}/Refund", DOUBTED)[0]
        report.check("one in doubt is found out", [] if until("the refund is known", known)[0]["state"] == "TRADE_STATE_SUCCEEDED" else ["not as it was executed"])
        report.check("nothing was refunded again", [] if executions(sandbox) == executed else [f"{executed} and then {executions(sandbox)}"])
    finally:
        status = server.end()
    report.check("the server ends", [] if status == 0 else [str(status)])


def executions(sandbox):
    return [it["order_id"] for it in json.loads(books(sandbox))["executions"]]
