// What each answer proves of a refund. Most prove nothing.

import { create, equals } from "@bufbuild/protobuf";
import { type ServiceError, status } from "@grpc/grpc-js";
import { type Details, detailsOf, nameOf, waitOf, words } from "./details.js";
import { ErrorReason, NextStep, RefundOutcome } from "./gen/sunmi/trade/v1/error_pb.js";
import {
  type GetRefundResponse, type RefundRecord, RefundRecordState, RefundRecordStateSchema,
} from "./gen/sunmi/trade/v1/refund_ledger_service_pb.js";
import {
  RefundEvidenceSchema, type RefundRequest, RefundRequestSchema, type RefundResponse, TradeState, TradeStateSchema,
} from "./gen/sunmi/trade/v1/trade_service_pb.js";

export type Outcome = "PENDING" | "DONE" | "DECLINED";

/** What one call came to. */
export interface Answer {
  /** PENDING: as open as before. */
  outcome: Outcome;
  /** Repeating is of no use until a person has done something. */
  stop: boolean;
  /** Of a look: whether to go on with Refund now, rather than stop, or wait and look again. */
  refund: boolean;
  /** How long the server asks to wait, in milliseconds; 0 where it does not say. */
  wait: number;
  words: string;
}

/** What Refund answered. */
export function ofResponse(response: RefundResponse): Answer {
  const state = nameOf(TradeStateSchema, response.state);
  const evidence = nameOf(RefundEvidenceSchema, response.evidence);
  return open(`OK, ${state}, ${evidence}, replayed ${response.replayed}`, ofState(response.state));
}

/**
 * What a call failed with. Only NOT_APPLIED says that no money moved. UNKNOWN and no TradeError say
 * nothing, whatever the status; NOT_ATTEMPTED, a refused caller among it, says nothing of earlier calls.
 */
export function ofError(error: unknown): Answer {
  if (!isServiceError(error)) {
    // No answer, and no word of a server either: the token's file could not be read, say.
    return open(`no call: ${error}`);
  }
  const details = detailsOf(error);
  const declined = details.trade?.refundOutcome === RefundOutcome.NOT_APPLIED;
  const answer = open(words(details), declined ? "DECLINED" : "PENDING");
  answer.wait = waitOf(details);
  answer.stop = needsPerson(details);
  if (details.trade?.reason === ErrorReason.REFUND_IN_FLIGHT) {
    // It may be the same refund under another number.
    const number = details.info?.metadata["openOrderId"] ?? "another refund of this payment";
    answer.words += `; ${number} is open: resolve that one first, or name it with --besides if both are wanted`;
  }
  return answer;
}

/** What GetRefund answered, of a refund that was asked for. */
export function ofLook(request: RefundRequest, { refund: record }: GetRefundResponse): Answer {
  if (record === undefined) {
    return open("OK, without a record");
  }
  const state = nameOf(RefundRecordStateSchema, record.state);
  const answer = open(`OK, ${state}, ${nameOf(TradeStateSchema, record.outcome)}`);
  answer.refund = true;
  if (record.needsPerson) {
    answer.words += `, needs a person at the server: ${record.doubtReason ?? ""}`;
  }
  if (record.dispute !== undefined) {
    // Sunmi contradicts what the ledger says, and Refund would only say that again.
    answer.stop = true;
    answer.refund = false;
    answer.words += `, disputed, a person has to find out: ${record.dispute}`;
  } else if (!tellsOf(request, record)) {
    // Refund alone compares the content.
    answer.words += ", of other content, or of none that is kept";
  } else if (record.state === RefundRecordState.SETTLED) {
    answer.outcome = ofState(record.outcome);
  } else if (record.state === RefundRecordState.NOT_APPLIED) {
    answer.outcome = "DECLINED";
  }
  return answer;
}

/**
 * What GetRefund failed with. Where the ledger does not know the refund, or this caller may not look,
 * or the server has no such call, Refund may tell: it asks before it acts, too.
 */
export function ofFailedLook(error: unknown): Answer {
  const answer = ofError(error);
  if (isServiceError(error)) {
    answer.refund = detailsOf(error).trade?.reason === ErrorReason.REFUND_NOT_FOUND
      || error.code === status.PERMISSION_DENIED || error.code === status.UNIMPLEMENTED;
  }
  return answer;
}

/** Whether two requests are the same refund: what its number stands for. */
export function sameContent(a: RefundRequest, b: RefundRequest): boolean {
  return equals(RefundRequestSchema, content(a), content(b));
}

function content({ appId, msn, amountMinor, original, orderId, businessId }: RefundRequest): RefundRequest {
  return create(RefundRequestSchema, { appId, msn, amountMinor, original, orderId, businessId });
}

/** Whether a record is of this refund, and not of another one with its number. */
function tellsOf(request: RefundRequest, record: RefundRecord): boolean {
  if (record.emptied) {
    return false;
  }
  const { orderId, original, msn = "", amountMinor = 0n, businessId = "" } = record;
  const kept = { appId: request.appId, orderId, msn, amountMinor, businessId, original };
  return sameContent(create(RefundRequestSchema, kept), request);
}

/** CREATED, UNPAID, PROCESSING and what a newer server may add are on the way, and no end. */
function ofState(state: TradeState): Outcome {
  switch (state) {
    case TradeState.SUCCEEDED:
      return "DONE";
    case TradeState.FAILED:
      return "DECLINED";
    default:
      return "PENDING";
  }
}

function needsPerson({ code, trade }: Details): boolean {
  switch (trade?.nextStep) {
    case NextStep.FIX_REQUEST:
    case NextStep.FIX_MERCHANT_ACCOUNT:
    case NextStep.FIX_DEPLOYMENT:
    case NextStep.ASK_SUNMI:
    case NextStep.RESOLVE_OPEN_REFUND:
      return true;
    default:
      return code === status.UNAUTHENTICATED || code === status.PERMISSION_DENIED;
  }
}

function open(words: string, outcome: Outcome = "PENDING"): Answer {
  return { outcome, stop: false, refund: false, wait: 0, words };
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number";
}
