// A runner that passes everything would go unnoticed: each expectation must be able to fail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { type Came, differences } from "../conformance/expect.js";
import { type Expect, readCase } from "../conformance/table.js";
import { BadRequestSchema, ErrorInfoSchema, LocalizedMessageSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { TradeErrorSchema } from "../gen/sunmi/trade/v1/error_pb.js";
import { QueryResponseSchema, RefundRequestSchema, TradeState } from "../gen/sunmi/trade/v1/trade_service_pb.js";

const response: Came = {
  schema: QueryResponseSchema,
  response: create(QueryResponseSchema, { state: TradeState.SUCCEEDED, amountMinor: 2n ** 53n + 1n, unrecognized: { a: "1" } }),
};
const none = { trade: undefined, info: undefined, request: undefined, retry: undefined, invalid: undefined, quota: undefined,
  localized: undefined };
const error: Came = { details: {
  ...none, code: status.NOT_FOUND, message: "",
  trade: create(TradeErrorSchema, { reason: 9, sunmiCode: "E19" }),
  info: create(ErrorInfoSchema, { metadata: { attempts: "3" } }),
  retry: create(RetryInfoSchema, { retryDelay: { seconds: 2n } }),
  invalid: create(BadRequestSchema, { fieldViolations: [{ field: "msn" }, { field: "appId" }] }),
  localized: create(LocalizedMessageSchema),
} };
const bare: Came = { details: { ...none, code: status.NOT_FOUND, message: "" } };

function holds(came: Came, expect: Partial<Expect>, count = 0): void {
  const name = "details" in came ? "NOT_FOUND" : "OK";
  assert.equal(differences({ status: name, ...expect }, came).length, count, JSON.stringify(expect));
}

test("what is as expected passes", () => {
  holds(response, { response: { state: "TRADE_STATE_SUCCEEDED", amountMinor: "9007199254740993", orderType: "ORDER_TYPE_UNSPECIFIED",
    orderId: null, unrecognized: { a: "1", b: null } } });
  holds(error, { error: { reason: "ERROR_REASON_ORDER_NOT_FOUND", sunmiCode: "E19", sunmiMessage: null }, metadata: { attempts: "3" },
    retry: true, retry_at_least_ms: 2000, violations: ["appId", "msn"], localized: true });
  holds(bare, { error: null, retry: false, violations: [], localized: false });
});

test("each thing that is not as expected is told", () => {
  holds(response, { status: "NOT_FOUND" }, 1);
  holds(response, { response: { state: 3, amountMinor: "9007199254740992", orderType: null, orderId: "x", unrecognized: { b: "1" } } }, 5);
  holds(error, { status: "OK" }, 1);
  holds(error, { error: null, retry: false, violations: [], localized: false }, 4);
  holds(error, { error: { reason: 9, sunmiCode: null }, metadata: { attempts: "2", other: "1" }, retry_at_least_ms: 2001,
    violations: ["msn"] }, 6);
  holds(bare, { error: {}, metadata: {}, retry: true, retry_at_least_ms: 0, violations: ["msn"], localized: true, response: {} }, 7);
});

test("an array is held against one of the same length", () => {
  const numbers = { schema: RefundRequestSchema, response: create(RefundRequestSchema, { acknowledgedOpenOrderIds: ["a", "b"] }) };
  holds(numbers, { response: { acknowledgedOpenOrderIds: ["a", "b"] } });
  for (const wrong of [["a"], ["b", "a"], ["a", "b", "c"], [], "a"]) {
    holds(numbers, { response: { acknowledgedOpenOrderIds: wrong } }, Array.isArray(wrong) && wrong.length === 2 ? 2 : 1);
  }
});

test("a word that the runner does not know is an error", () => {
  const step = { rpc: "Query", as: "reader", request: {}, deadline_ms: 1, expect: { status: "OK" } };
  const of = (change: object, inStep = {}, inExpect = {}) => readCase({
    name: "n-${run}", why: "w", steps: [{ ...step, ...inStep, expect: { ...step.expect, ...inExpect } }], ...change });
  assert.match(of({}).name, /^n-[0-9a-f]{8}$/);
  assert.throws(() => of({ order: [] }), /"order" is not a member of case/);
  assert.throws(() => of({}, { repeat: true }), /"repeat" is not a member of step/);
  assert.throws(() => of({}, {}, { violation: [] }), /"violation" is not a member of expect/);
  assert.throws(() => of({ steps: [] }), /no steps/);
});
