// Each guard of guarded.mjs, and beside it what happens without.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, test } from "node:test";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { connect, detailsOf, encoded, FILES, OPTIONS, outcomeOf } from "./guarded.mjs";

const { includeDirs } = OPTIONS;
const load = (options) => loader.loadSync(FILES, { includeDirs, ...options });
const guarded = load(OPTIONS);
const bare = load({});

const methodsOf = (definition) => definition["sunmi.trade.v1.TradeService"];
const { Refund, Query } = methodsOf(guarded);
/** What the server gets of a request, if it is sent without guards. */
const arrives = (request, options = { longs: String }) => {
  const method = methodsOf(load(options)).Refund;
  return method.requestDeserialize(method.requestSerialize(request));
};
const refused = (request, words) => assert.throws(() => encoded(Refund, request), { name: "TypeError", message: words });

const ends = [];
after(() => ends.forEach((end) => end()));

/** A server whose Refund does this; its address. */
async function serving(refund, address = "127.0.0.1:0") {
  const server = new grpc.Server();
  server.addService(methodsOf(bare), { Refund: refund, Query: refund, SwipeQuery: refund });
  const port = await new Promise((resolve, reject) =>
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, it) => error ? reject(error) : resolve(it)));
  ends.push(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

function guardedClient(address, options) {
  const client = connect(address, options);
  ends.push(client.close);
  return client;
}

function bareClient(address) {
  const { TradeService } = grpc.loadPackageDefinition(bare).sunmi.trade.v1;
  const client = new TradeService(address, grpc.credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
  ends.push(() => client.close());
  return client;
}

const refundBare = (client, request = {}) => new Promise((resolve) => client.refund(request, (error, response) => resolve(error ?? response)));

for (const [said, came] of [
  [10.7, "10"], ["10.7", "10"], ["1e3", "1"], ["12abc", "12"], ["abc", "0"], [true, "0"], [NaN, "0"],
  ["9223372036854775808", "-9223372036854775808"], [1e19, "9223372036854775807"],
]) {
  test(`an amount of ${typeof said === "string" ? `"${said}"` : said} would be sent as ${came}, and is refused`, () => {
    assert.equal(arrives({ amountMinor: said }).amountMinor, came);
    refused({ amountMinor: said }, /^request\.amountMinor: .* would arrive as/);
  });
}

test("an amount in a number is rounded before anybody sees it, so it has to be a bigint", () => {
  assert.equal(arrives({ amountMinor: Number("9007199254740993") }).amountMinor, "9007199254740992");
  refused({ amountMinor: 100 }, /amountMinor: 100 would arrive as "100"/);
  const bytes = encoded(Refund, { amountMinor: 9007199254740993n });
  assert.equal(Refund.requestDeserialize(bytes).amountMinor, "9007199254740993");
});

test("a bigint that an int64 does not hold would wrap, and is refused", () => {
  assert.equal(arrives({ amountMinor: String(2n ** 64n + 5n) }).amountMinor, "5");
  refused({ amountMinor: 2n ** 64n + 5n }, /would arrive as "5"/);
});

test("a field with a wrong name would get lost, and is refused", () => {
  assert.deepEqual(arrives({ order_id: "R-1", oriOrderID: "DEMO-1", amount: 100 }), {});
  for (const name of ["order_id", "oriOrderID", "amount"]) {
    refused({ [name]: "R-1" }, `request.${name}: "R-1" would arrive as nothing`);
  }
});

test("two members of a oneof would both be sent, and are refused", () => {
  const both = { oriOrderId: "DEMO-1", oriMisId: "DEMO-2-MIS" };
  assert.deepEqual(arrives(both), both);
  refused(both, "request.original: one of oriOrderId and oriMisId, not both");
  assert.throws(() => encoded(Query, { orderId: "A", platformId: "B" }), /request\.order: one of/);
});

test("a value of a wrong type would be made into text, and is refused", () => {
  assert.deepEqual(arrives({ orderId: 12, businessId: {} }), { orderId: "12", businessId: "[object Object]" });
  refused({ orderId: 12 }, 'request.orderId: 12 would arrive as "12"');
});

test("a wrong enum name and a Date would be sent as nothing, and are refused", () => {
  const { ListRefunds } = guarded["sunmi.trade.v1.RefundLedgerService"];
  const request = { states: ["IN_DOUBT"], claimedSince: new Date() };
  const came = ListRefunds.requestDeserialize(ListRefunds.requestSerialize(request));
  assert.deepEqual(came.states, ["REFUND_RECORD_STATE_UNSPECIFIED"]);
  assert.deepEqual(came.claimedSince, { seconds: "0", nanos: 0 });
  assert.throws(() => encoded(ListRefunds, { states: ["IN_DOUBT"] }), /states\[0\]/);
  assert.throws(() => encoded(ListRefunds, { claimedSince: new Date() }), /claimedSince/);
});

test("a response's amount is rounded with longs: Number, and an object by default", async () => {
  const amountMinor = "9007199254740993";
  const bytes = Refund.responseSerialize({ amountMinor });
  assert.equal(methodsOf(load({ longs: Number })).Refund.responseDeserialize(bytes).amountMinor, 9007199254740992);
  assert.equal(typeof methodsOf(bare).Refund.responseDeserialize(bytes).amountMinor, "object");
  const address = await serving((call, answer) => answer(null, { amountMinor }));
  const response = await guardedClient(address).refund({ orderId: "R-1" });
  assert.equal(response.amountMinor, 9007199254740993n);
});

test("what is false, 0 or an enum's first value is missing without defaults; what is absent stays so", async () => {
  const address = await serving((call, answer) => answer(null, {}));
  const without = await refundBare(bareClient(address));
  assert.deepEqual([without.state, without.replayed], [undefined, undefined]);
  const response = await guardedClient(address).refund({ orderId: "R-1" });
  assert.deepEqual([response.state, response.replayed], ["TRADE_STATE_UNSPECIFIED", false]);
  assert.equal(response.amountMinor, undefined);
});

test("a state is a number without enums, and one of a newer server is one in any case: it settles nothing", async () => {
  const states = [3, 5, 1, 2, 100, 99];
  const address = await serving((call, answer) => answer(null, { state: states.shift() }));
  assert.equal((await refundBare(bareClient(address))).state, 3);
  const client = guardedClient(address);
  const outcomes = [];
  for (const state of ["TRADE_STATE_FAILED", "TRADE_STATE_CREATED", "TRADE_STATE_UNPAID", "TRADE_STATE_PROCESSING", 99]) {
    const response = await client.refund({ orderId: "R-1" });
    assert.equal(response.state, state);
    outcomes.push(outcomeOf(response));
  }
  assert.deepEqual(outcomes, ["DECLINED", "PENDING", "PENDING", "PENDING", "PENDING"]);
});

/** A trailer as the server makes it. */
function trailer(refundOutcome, ...others) {
  const value = guarded["sunmi.trade.v1.TradeError"].serialize({ refundOutcome, sunmiCode: "E22" });
  const details = [{ type_url: "type.googleapis.com/sunmi.trade.v1.TradeError", value }, ...others];
  return guarded["google.rpc.Status"].serialize({ code: 9, details });
}

function failing(bytes) {
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", bytes);
  return (call, answer) => answer({ code: grpc.status.FAILED_PRECONDITION, details: "scripted", metadata });
}

test("the details are bytes in a trailer, which nobody reads without the guard", async () => {
  const address = await serving(failing(trailer("REFUND_OUTCOME_NOT_APPLIED")));
  const error = await refundBare(bareClient(address));
  assert.equal(error.said, undefined);
  assert.ok(error.metadata.get("grpc-status-details-bin")[0] instanceof Buffer);
  await assert.rejects(guardedClient(address).refund({ orderId: "R-1" }), (it) => {
    assert.equal(it.said.trade.sunmiCode, "E22");
    assert.equal(outcomeOf(undefined, it), "DECLINED");
    return true;
  });
});

test("details that are broken, or not there, are none, and prove nothing", async () => {
  const whole = trailer("REFUND_OUTCOME_NOT_APPLIED");
  const broken = { type_url: "type.googleapis.com/google.rpc.RetryInfo", value: Buffer.from([0x0a, 0x7f]) };
  const beside = trailer("REFUND_OUTCOME_NOT_APPLIED", broken);
  for (const bytes of [Buffer.from([255, 254, 1]), whole.subarray(0, whole.length - 3), beside]) {
    const address = await serving(failing(bytes));
    await assert.rejects(guardedClient(address).refund({ orderId: "R-1" }), (error) => {
      assert.deepEqual(error.said, {});
      assert.equal(outcomeOf(undefined, error), "PENDING");
      return true;
    });
  }
  assert.deepEqual(detailsOf(new Error("none of gRPC's")), {});
});

test("a call has no deadline without the guard", async () => {
  const deadlines = [];
  const address = await serving((call, answer) => {
    deadlines.push(call.getDeadline());
    if (deadlines.length === 1) answer(null, {});
  });
  await refundBare(bareClient(address));
  assert.equal(deadlines[0], Infinity);
  const never = guardedClient(address, { timeout: 200 }).refund({ orderId: "R-1" });
  await assert.rejects(never, { code: grpc.status.DEADLINE_EXCEEDED });
});

test("a call fails at once while the server restarts, and waits with the guard", async () => {
  const kept = createServer().listen(0, "127.0.0.1");
  await once(kept, "listening");
  const address = `127.0.0.1:${kept.address().port}`;
  kept.close();
  await once(kept, "close");
  const waiting = guardedClient(address).refund({ orderId: "R-1" });
  // Nothing listens yet.
  assert.equal((await refundBare(bareClient(address))).code, grpc.status.UNAVAILABLE);
  await serving((call, answer) => answer(null, { state: 3 }), address);
  assert.equal((await waiting).state, "TRADE_STATE_SUCCEEDED");
});

test("the token is read for each call", async () => {
  const sent = [];
  const address = await serving((call, answer) => {
    sent.push(call.metadata.get("authorization")[0]);
    answer(null, {});
  });
  const tokens = ["first", "second"];
  const client = guardedClient(address, { token: () => tokens.shift() });
  await client.refund({ orderId: "R-1" });
  await client.refund({ orderId: "R-1" });
  assert.deepEqual(sent, ["Bearer first", "Bearer second"]);
});
