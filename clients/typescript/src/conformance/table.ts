// The table's format, clients/conformance/README.md. A word that is not known here is an error, so that
// nothing that a case expects is overlooked.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { JsonValue } from "@bufbuild/protobuf";

export interface Table {
  tokens: Record<string, string>;
  /** Each is read when it is run. */
  cases: unknown[];
}

export interface Case {
  name: string;
  why: string;
  orders?: unknown[];
  past_refunds?: unknown[];
  faults?: unknown[];
  steps: Step[];
  executions?: Record<string, number>;
}

export interface Step {
  rpc: string;
  as: string;
  request: JsonValue;
  deadline_ms: number;
  repeat_until?: boolean;
  expect: Expect;
}

/** What a call must come to. What is not named may be anything; null stands for absent. */
export interface Expect {
  status: string;
  response?: JsonValue;
  error?: JsonValue;
  metadata?: Record<string, string>;
  retry?: boolean;
  retry_at_least_ms?: number;
  violations?: string[];
  localized?: boolean;
}

const MEMBERS = {
  table: ["tokens", "cases"],
  case: ["name", "why", "orders", "past_refunds", "faults", "steps", "executions"],
  step: ["rpc", "as", "request", "deadline_ms", "repeat_until", "expect"],
  expect: ["status", "response", "error", "metadata", "retry", "retry_at_least_ms", "violations", "localized"],
};

export function readTable(file: string): Table {
  return known("table", JSON.parse(readFileSync(file, "utf8"))) as Table;
}

/** Gives a case numbers of its own, so that cases and runs are in nobody's way. */
export function readCase(source: unknown): Case {
  const run = randomBytes(4).toString("hex");
  const read = known("case", JSON.parse(JSON.stringify(source).replaceAll("${run}", run))) as Case;
  if (!Array.isArray(read.steps) || read.steps.length === 0) {
    throw new Error("no steps");
  }
  for (const step of read.steps) {
    known("step", step);
    known("expect", step.expect);
    if (!(step.deadline_ms > 0) || typeof step.expect.status !== "string") {
      throw new Error("a step needs a deadline_ms, and a status that it expects");
    }
  }
  return read;
}

function known(what: keyof typeof MEMBERS, value: unknown): object {
  if (typeof value !== "object" || value === null) {
    throw new Error(`no ${what}: ${JSON.stringify(value)}`);
  }
  for (const member of Object.keys(value)) {
    if (!MEMBERS[what].includes(member)) {
      throw new Error(`"${member}" is not a member of ${what}`);
    }
  }
  return value;
}
