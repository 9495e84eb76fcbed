// Reads what an error of sunmi-trade says, typed. docs/errors.md tells of each message.

import { type DescEnum, type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import {
  type BadRequest, BadRequestSchema, type ErrorInfo, ErrorInfoSchema, type LocalizedMessage,
  LocalizedMessageSchema, type QuotaFailure, QuotaFailureSchema, type RequestInfo, RequestInfoSchema,
  type RetryInfo, RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";
import {
  ErrorReasonSchema, NextStepSchema, RefundOutcomeSchema, type TradeError, TradeErrorSchema,
} from "./gen/sunmi/trade/v1/error_pb.js";

/** What the error of a call says. What it does not say is undefined. */
export interface Details {
  code: status;
  message: string;
  /**
   * Undefined where the error is not the server's own: the connection broke, a deadline passed here,
   * something on the way answered. Of a Refund that says nothing: the money may have moved.
   */
  trade: TradeError | undefined;
  info: ErrorInfo | undefined;
  request: RequestInfo | undefined;
  retry: RetryInfo | undefined;
  invalid: BadRequest | undefined;
  quota: QuotaFailure | undefined;
  localized: LocalizedMessage | undefined;
}

/** Reads the error of a call. Details that cannot be read are as if they were absent. */
export function detailsOf(error: ServiceError): Details {
  const packed = packedDetails(error);
  return {
    code: error.code,
    message: error.details,
    trade: find(packed, TradeErrorSchema),
    info: find(packed, ErrorInfoSchema),
    request: find(packed, RequestInfoSchema),
    retry: find(packed, RetryInfoSchema),
    invalid: find(packed, BadRequestSchema),
    quota: find(packed, QuotaFailureSchema),
    localized: find(packed, LocalizedMessageSchema),
  };
}

/** grpc-js leaves the trailer to its callers: a name that ends in -bin has Buffers as values. */
function packedDetails(error: ServiceError): Any[] {
  const [trailer] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!(trailer instanceof Uint8Array)) {
    return [];
  }
  const told = readable(() => fromBinary(StatusSchema, trailer));
  // Of another status it speaks of something else.
  return told?.code === error.code ? told.details : [];
}

function find<Desc extends DescMessage>(packed: Any[], schema: Desc): MessageShape<Desc> | undefined {
  for (const any of packed) {
    const found = readable(() => anyUnpack(any, schema));
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** How long the server asks to wait, in milliseconds; 0 where it does not say. */
export function waitOf(details: Details): number {
  const delay = details.retry?.retryDelay;
  return delay === undefined ? 0 : Math.max(0, Number(delay.seconds) * 1000 + delay.nanos / 1e6);
}

/** All of it in one line, for a log. */
export function words(details: Details): string {
  const { trade, invalid, quota, request, localized } = details;
  const said = [status[details.code] ?? `status ${details.code}`];
  if (trade === undefined) {
    said.push("no TradeError");
  } else {
    said.push(nameOf(ErrorReasonSchema, trade.reason), nameOf(RefundOutcomeSchema, trade.refundOutcome));
    said.push(nameOf(NextStepSchema, trade.nextStep));
  }
  if (waitOf(details) > 0) {
    said.push(`retry after ${waitOf(details)} ms`);
  }
  if (trade?.sunmiCode !== undefined) {
    said.push(`Sunmi's ${trade.sunmiCode} "${localized?.message ?? ""}"`);
  }
  said.push(...(invalid?.fieldViolations ?? []).map((it) => `${it.field}: ${it.description}`));
  said.push(...(quota?.violations ?? []).map((it) => `${it.subject}: ${it.description}`));
  if (request !== undefined) {
    said.push(`request ${request.requestId}`);
  }
  return `${said.join(", ")}: ${details.message}`;
}

/**
 * The name of an enum's value. A number of a newer server is in no enum here: `ErrorReason[99]` is
 * undefined, and this is ERROR_REASON_99.
 */
export function nameOf(schema: DescEnum, number: number): string {
  return schema.value[number]?.name ?? `${(schema.sharedPrefix ?? `${schema.name}_`).toUpperCase()}${number}`;
}
