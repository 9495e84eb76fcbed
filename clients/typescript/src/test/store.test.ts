import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { sameContent } from "../answer.js";
import { RefundRequestSchema } from "../gen/sunmi/trade/v1/trade_service_pb.js";
import { lock } from "../lock.js";
import { parseOptions } from "../options.js";
import { fileName, Store } from "../store.js";

const place = mkdtempSync(join(tmpdir(), "refunds-"));
after(() => rmSync(place, { recursive: true }));
const store = new Store(join(place, "store"));
store.create();

const request = create(RefundRequestSchema, {
  msn: "M", amountMinor: 2n ** 53n + 1n, orderId: "R/1.~*", businessId: "B-1", original: { case: "oriOrderId", value: "P" },
});

test("a record is read as it was written, to the last fen", () => {
  store.write({ outcome: "PENDING", request });
  assert.deepEqual(readdirSync(store.folder), ["R%2F1%2E%7E%2A.json"]);
  assert.deepEqual(store.numbers(), ["R/1.~*"]);
  const found = store.read("R/1.~*");
  assert.equal(found?.outcome, "PENDING");
  assert.ok(sameContent(found.request, request));
  const json = JSON.parse(readFileSync(join(store.folder, "R%2F1%2E%7E%2A.json"), "utf8"));
  assert.equal(json.request.amountMinor, "9007199254740993");
});

test("numbers that differ have files that differ", () => {
  assert.equal(fileName("R-1_a"), "R-1_a");
  assert.equal(fileName("..!'()"), "%2E%2E%21%27%28%29");
});

test("a record that is not one is refused, with its file's name", () => {
  const texts = ["", "{", "[]", '{"outcome": "LOST", "request": {"orderId": "R-2"}}', '{"outcome": "DONE", "request": {"orderId": "R-3"}}',
    '{"outcome": "DONE", "request": {"orderId": "R-2", "amountMinor": 10.7}}', '{"outcome": "DONE"}'];
  for (const text of texts) {
    writeFileSync(join(store.folder, "R-2.json"), text);
    assert.throws(() => store.read("R-2"), /R-2\.json/, text);
  }
  assert.equal(store.read("R-4"), undefined);
});

test("what a number stands for is compared, and nothing else", () => {
  const like = (change: object) => sameContent(create(RefundRequestSchema, { ...request, ...change }), request);
  assert.ok(like({ acknowledgedOpenOrderIds: ["R-8"], operator: "Li", reason: "broken" }));
  for (const change of [{ msn: "N" }, { amountMinor: 2n ** 53n }, { businessId: "" }, { appId: "a" },
    { original: { case: "oriMisId", value: "P" } }]) {
    assert.ok(!like(change), JSON.stringify(Object.keys(change)));
  }
});

test("an amount on the command line is a whole number of fen, or nothing is done", () => {
  const amount = (it: string) => parseOptions([
    "--server", "s:1", "--store", "f", "--number", "R-1", "--original", "P", `--amount=${it}`]).request?.amountMinor;
  assert.equal(amount("9223372036854775807"), 2n ** 63n - 1n);
  for (const wrong of ["10.7", "0", "-1", "1e3", "9223372036854775808", "0x10", " 5", ""]) {
    assert.throws(() => amount(wrong), /--amount/, wrong);
  }
});

test("one process at a time works on a record, and one that is gone leaves it", async () => {
  const module = JSON.stringify(new URL("../lock.js", import.meta.url).href);
  // Says whether it got the lock, and ends without a word to anybody.
  const script = `const { lock } = await import(${module}); console.log(await lock(process.argv[1], "R-1") !== undefined);
    process.kill(process.pid, "SIGKILL")`;
  const another = () => spawnSync(process.execPath, ["--input-type=module", "-e", script, store.folder]).stdout.toString().trim();
  const held = await lock(store.folder, "R-1");
  assert.equal(another(), "false");
  assert.ok(await lock(store.folder, "R-2"));
  held?.release();
  assert.equal(another(), "true");
  assert.ok(await lock(store.folder, "R-1"));
});
