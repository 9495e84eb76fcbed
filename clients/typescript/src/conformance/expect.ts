// Holds what came of a call against what a step expects.

import { isDeepStrictEqual } from "node:util";
import { type DescMessage, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { type Details, waitOf } from "../details.js";
import { TradeErrorSchema } from "../gen/sunmi/trade/v1/error_pb.js";
import type { Expect } from "./table.js";

/** What a call came to: a response, or what its error says. */
export type Came = { schema: DescMessage; response: Message } | { details: Details };

/** All that is not as expected; nothing if all is. */
export function differences(expect: Expect, came: Came): string[] {
  const details = "details" in came ? came.details : undefined;
  const name = details === undefined ? "OK" : (status[details.code] ?? String(details.code));
  if (name !== expect.status) {
    return [`status ${expect.status} expected, ${name} came${details === undefined ? "" : `: ${details.message}`}`];
  }
  const response = "response" in came ? json(came.schema, came.response) : undefined;
  const error = details?.trade && json(TradeErrorSchema, details.trade);
  return [
    ...expect.response === undefined ? [] : lacks("response", expect.response, response),
    ...expect.error === undefined ? [] : lacks("TradeError", expect.error, error),
    ...expect.metadata === undefined ? [] : lacks("metadata", expect.metadata, details?.info?.metadata),
    ...retry(expect, details),
    ...violations(expect, details),
    ...same("localized", expect.localized, details?.localized !== undefined),
  ];
}

/** With the default values of fields that have no presence. */
function json(schema: DescMessage, message: Message): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true });
}

/** Objects by key, arrays element by element, all else equal. null is for what is absent. */
function lacks(path: string, wanted: JsonValue, got: JsonValue | undefined): string[] {
  if (wanted === null) {
    return same(path, undefined, got, true);
  }
  if (Array.isArray(wanted)) {
    return Array.isArray(got) && got.length === wanted.length
      ? wanted.flatMap((value, at) => lacks(`${path}[${at}]`, value, got[at]))
      : differs(path, wanted, got);
  }
  if (typeof wanted === "object") {
    return typeof got === "object" && got !== null && !Array.isArray(got)
      ? Object.entries(wanted).flatMap(([key, value]) => lacks(`${path}.${key}`, value, got[key]))
      : differs(path, wanted, got);
  }
  return same(path, wanted, got);
}

function retry(expect: Expect, details: Details | undefined): string[] {
  const wait = details === undefined ? 0 : waitOf(details);
  const least = expect.retry_at_least_ms;
  const came = details?.retry === undefined ? false : wait > 0 ? true : "a delay of 0";
  return [
    ...same("retry", expect.retry, came),
    ...least !== undefined && !(details?.retry && wait >= least) ? differs("retry_at_least_ms", least, wait) : [],
  ];
}

function violations(expect: Expect, details: Details | undefined): string[] {
  const fields = (details?.invalid?.fieldViolations ?? []).map((it) => it.field).sort();
  const none = expect.violations?.length === 0 && details?.invalid !== undefined;
  return none ? differs("violations", "no BadRequest", fields)
    : same("violations", expect.violations && [...expect.violations].sort(), fields);
}

/** Undefined expects nothing, unless absence itself is expected. */
function same(path: string, wanted: unknown, got: unknown, absence = false): string[] {
  const expected = wanted !== undefined || absence;
  return expected && !isDeepStrictEqual(wanted, got) ? differs(path, wanted, got) : [];
}

function differs(path: string, wanted: unknown, got: unknown): string[] {
  return [`${path}: ${shown(wanted)} expected, ${shown(got)} came`];
}

function shown(value: unknown): string {
  return value === undefined ? "absent" : JSON.stringify(value);
}
