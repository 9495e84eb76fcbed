import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, type Any } from "@bufbuild/protobuf/wkt";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { ofError } from "../answer.js";
import { detailsOf, nameOf, waitOf, words } from "../details.js";
import {
  BadRequestSchema, ErrorInfoSchema, LocalizedMessageSchema, QuotaFailureSchema, RequestInfoSchema, RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../gen/google/rpc/status_pb.js";
import { ErrorReasonSchema, NextStep, RefundOutcome, TradeErrorSchema } from "../gen/sunmi/trade/v1/error_pb.js";

/** An error as grpc-js makes it. */
function failure(code: status, trailer?: Uint8Array | string): ServiceError {
  const metadata = new Metadata();
  if (trailer !== undefined) {
    metadata.set("grpc-status-details-bin", Buffer.from(trailer));
  }
  return Object.assign(new Error("scripted"), { code, details: "scripted", metadata });
}

function trailer(...details: Any[]): Uint8Array {
  return toBinary(StatusSchema, create(StatusSchema, { code: 9, details }));
}

const NOT_APPLIED = anyPack(TradeErrorSchema, create(TradeErrorSchema, {
  reason: 99 as never, refundOutcome: RefundOutcome.NOT_APPLIED, nextStep: 99 as never, sunmiCode: "E22",
}));

test("all details are read, typed", () => {
  const details = detailsOf(failure(status.FAILED_PRECONDITION, trailer(
    NOT_APPLIED,
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { metadata: { openOrderId: "R-7" } })),
    anyPack(RequestInfoSchema, create(RequestInfoSchema, { requestId: "r1" })),
    anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: { seconds: 2n, nanos: 500_000_000 } })),
    anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: [{ field: "msn", description: "is missing" }] })),
    anyPack(QuotaFailureSchema, create(QuotaFailureSchema, { violations: [{ subject: "caller:x", description: "5 left" }] })),
    anyPack(LocalizedMessageSchema, create(LocalizedMessageSchema, { locale: "zh-CN", message: "金额" })),
  )));
  assert.equal(details.info?.metadata["openOrderId"], "R-7");
  assert.equal(waitOf(details), 2500);
  assert.equal(words(details), "FAILED_PRECONDITION, ERROR_REASON_99, REFUND_OUTCOME_NOT_APPLIED, NEXT_STEP_99, "
    + "retry after 2500 ms, Sunmi's E22 \"金额\", msn: is missing, caller:x: 5 left, request r1: scripted");
});

test("a number of a newer server has a name all the same", () => {
  assert.equal(nameOf(ErrorReasonSchema, 99), "ERROR_REASON_99");
  assert.equal(nameOf(ErrorReasonSchema, 41), "ERROR_REASON_REFUND_IN_FLIGHT");
});

test("a trailer that cannot be read, or is not there, is no TradeError, and settles nothing", () => {
  const whole = trailer(NOT_APPLIED);
  const other = { ...NOT_APPLIED, typeUrl: "type.googleapis.com/sunmi.trade.v2.TradeError" };
  const broken = { ...NOT_APPLIED, value: new Uint8Array([0x28, 0xff]) };
  for (const bytes of [undefined, "garbage", whole.subarray(0, 20), trailer(other), trailer(broken)]) {
    const error = failure(status.FAILED_PRECONDITION, bytes);
    assert.equal(detailsOf(error).trade, undefined);
    assert.equal(ofError(error).outcome, "PENDING");
  }
  assert.equal(ofError(failure(status.FAILED_PRECONDITION, whole)).outcome, "DECLINED");
  // Of another status it speaks of something else.
  assert.equal(ofError(failure(status.UNKNOWN, whole)).outcome, "PENDING");
});

test("one detail that cannot be read does not hide the others", () => {
  const broken = anyPack(RetryInfoSchema, create(RetryInfoSchema));
  broken.value = new Uint8Array([0x0a, 0x7f]);
  const details = detailsOf(failure(status.FAILED_PRECONDITION, trailer(broken, NOT_APPLIED)));
  assert.equal(details.retry, undefined);
  assert.equal(details.trade?.refundOutcome, RefundOutcome.NOT_APPLIED);
});

test("a step that needs a person, and a caller who is refused, stop the example without settling", () => {
  const next = (nextStep: NextStep) => trailer(anyPack(TradeErrorSchema, create(TradeErrorSchema, {
    refundOutcome: RefundOutcome.NOT_ATTEMPTED, nextStep,
  })));
  const stops = [NextStep.FIX_REQUEST, NextStep.FIX_DEPLOYMENT, NextStep.FIX_MERCHANT_ACCOUNT, NextStep.ASK_SUNMI,
    NextStep.RESOLVE_OPEN_REFUND];
  for (const step of [...stops, NextStep.RETRY, NextStep.REPEAT_SAME_REFUND, NextStep.UNSPECIFIED, 99 as NextStep]) {
    const answer = ofError(failure(status.FAILED_PRECONDITION, next(step)));
    assert.deepEqual([answer.outcome, answer.stop], ["PENDING", stops.includes(step)], String(step));
  }
  for (const code of [status.UNAUTHENTICATED, status.PERMISSION_DENIED]) {
    assert.deepEqual([ofError(failure(code)).outcome, ofError(failure(code)).stop], ["PENDING", true]);
  }
});
