// The command lines. What is wrong with them throws, before anything is stored or sent.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import type { Access } from "./channel.js";
import { type RefundRequest, RefundRequestSchema } from "./gen/sunmi/trade/v1/trade_service_pb.js";

export const usage = `refund --server HOST:PORT --store FOLDER --number NUMBER --original ORDER --amount FEN
       [--msn DEVICE] [--business NUMBER] [--besides NUMBER,...] [ACCESS]
refund --server HOST:PORT --store FOLDER --resume [ACCESS]

ACCESS: [--timeout SECONDS] [--patience SECONDS] [--token-file FILE] [--ca FILE [--cert FILE --key FILE]]`;

export interface Options {
  access: Access;
  store: string;
  /** For how long a refund is tried again, in milliseconds. */
  patience: number;
  /** Undefined with --resume. */
  request: RefundRequest | undefined;
}

const text = { type: "string" } as const;
export const ACCESS_FLAGS = { server: text, timeout: text, "token-file": text, ca: text, cert: text, key: text } as const;
const FLAGS = {
  ...ACCESS_FLAGS, store: text, resume: { type: "boolean" }, patience: text,
  number: text, original: text, amount: text, msn: text, business: text, besides: text,
} as const;

type Given = { [name in keyof typeof FLAGS]?: string | boolean | undefined };
type GivenAccess = { [name in keyof typeof ACCESS_FLAGS]?: string | undefined };

export function parseOptions(argv: string[]): Options {
  const { values: given } = parseArgs({ args: argv, options: FLAGS, strict: true });
  const access = accessOf(given);
  if (!given.store) {
    throw new Error("--store is needed");
  }
  const patience = milliseconds("patience", given.patience ?? "60");
  return { access, store: given.store, patience, request: requestOf(given) };
}

export function accessOf({ server, timeout = "10", "token-file": tokenFile, ca, cert, key }: GivenAccess): Access {
  if (!server) {
    throw new Error("--server is needed");
  }
  if ((cert === undefined) !== (key === undefined) || (cert !== undefined && ca === undefined)) {
    throw new Error("--cert, --key and --ca go together");
  }
  if (tokenFile !== undefined) {
    // A wrong name is told now. The token is read anew for each call.
    readFileSync(tokenFile);
  }
  return { server, timeout: milliseconds("timeout", timeout), tokenFile, ca, cert, key };
}

function requestOf(given: Given): RefundRequest | undefined {
  const named = (["number", "original", "amount", "msn", "business", "besides"] as const)
    .filter((flag) => given[flag] !== undefined);
  if (given.resume) {
    if (named.length > 0) {
      throw new Error("--resume goes by the records alone");
    }
    return undefined;
  }
  const { number, original, amount, msn = "TL05D91940002", business = "B-1", besides } = given as Record<string, string>;
  if (!number || !original || !amount) {
    throw new Error("--number, --original and --amount are needed, or --resume");
  }
  return create(RefundRequestSchema, {
    msn, amountMinor: fen(amount), orderId: number, businessId: business,
    original: { case: "oriOrderId", value: original },
    // No part of the content. Whoever names them says that this one is not another try at those.
    acknowledgedOpenOrderIds: besides ? besides.split(",") : [],
  });
}

/** An amount is a bigint from the start: a number would lose fen above 2^53, and Number("10.7") is one. */
function fen(amount: string): bigint {
  const value = /^[0-9]{1,19}$/.test(amount) ? BigInt(amount) : 0n;
  if (value < 1n || value >= 2n ** 63n) {
    throw new Error("--amount is a whole number of fen, at least 1");
  }
  return value;
}

function milliseconds(flag: string, seconds: string): number {
  const value = Number(seconds) * 1000;
  // Timers of Node.js go off at once beyond 2^31 ms.
  if (!(value > 0 && value < 2 ** 31)) {
    throw new Error(`--${flag} is a positive number of seconds`);
  }
  return value;
}
