// The records of refunds: each is on the disk before its first call, and read after a restart.

import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fromJson, toJson } from "@bufbuild/protobuf";
import type { Outcome } from "./answer.js";
import { type RefundRequest, RefundRequestSchema } from "./gen/sunmi/trade/v1/trade_service_pb.js";

/** A refund, and how it stands. The request is the whole content, to be repeated as it is. */
export interface StoredRefund {
  outcome: Outcome;
  request: RefundRequest;
}

const OUTCOMES: readonly string[] = ["PENDING", "DONE", "DECLINED"] satisfies Outcome[];

/** A folder with a file for each refund. */
export class Store {
  constructor(readonly folder: string) {}

  /** Makes the folder if it is not there, in one that is. */
  create(): void {
    try {
      mkdirSync(this.folder);
      sync(dirname(this.folder));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw error;
      }
    }
  }

  /** The record of a number; undefined if there is none. Throws if it cannot be read. */
  read(number: string): StoredRefund | undefined {
    const file = this.#file(number);
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") {
        return undefined;
      }
      throw error;
    }
    try {
      return parse(text, number);
    } catch (error) {
      throw new Error(`${file}: ${(error as Error).message}`);
    }
  }

  /** Writes a record so that after a crash it is there as before, or as it is now. */
  write({ outcome, request }: StoredRefund): void {
    const file = this.#file(request.orderId);
    const temporary = join(this.folder, `.${fileName(request.orderId)}.${process.pid}`);
    const json = { outcome, request: toJson(RefundRequestSchema, request) };
    const opened = openSync(temporary, "w");
    try {
      writeFileSync(opened, `${JSON.stringify(json, undefined, 2)}\n`);
      fsyncSync(opened);
    } finally {
      closeSync(opened);
    }
    renameSync(temporary, file);
    sync(this.folder);
  }

  /** The numbers of all records. */
  numbers(): string[] {
    return readdirSync(this.folder)
      .filter((name) => name.endsWith(".json") && !name.startsWith("."))
      .map((name) => decoded(name.slice(0, -".json".length)))
      .sort();
  }

  #file(number: string): string {
    return join(this.folder, `${fileName(number)}.json`);
  }
}

/** The number, percent-encoded where it is not a letter, a digit, _ or -. */
export function fileName(number: string): string {
  return encodeURIComponent(number)
    .replace(/[.!~*'()]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The number of a file; the name itself, where no number has it. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function parse(text: string, number: string): StoredRefund {
  const { outcome, request: json, ...others } = JSON.parse(text);
  if (!OUTCOMES.includes(outcome) || Object.keys(others).length > 0) {
    throw new Error("not a record of a refund");
  }
  const request = fromJson(RefundRequestSchema, json);
  if (request.orderId !== number) {
    throw new Error(`a record of ${request.orderId}`);
  }
  return { outcome, request };
}

function sync(folder: string): void {
  const opened = openSync(folder, "r");
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}
