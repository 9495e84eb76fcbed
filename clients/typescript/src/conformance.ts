// Runs the cases that all languages have in common, see clients/conformance/README.md.
//
//     ../conformance/with-server BINARY node dist/conformance.js [CASES.json]

import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { create, type DescMessage, type DescMethodUnary, fromJson } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import { Channel } from "./channel.js";
import { type Came, differences } from "./conformance/expect.js";
import { type Case, readCase, readTable, type Step } from "./conformance/table.js";
import { detailsOf, waitOf } from "./details.js";
import { RefundLedgerService } from "./gen/sunmi/trade/v1/refund_ledger_service_pb.js";
import { TradeService } from "./gen/sunmi/trade/v1/trade_service_pb.js";
import { Health, HealthCheckRequestSchema } from "./gen/grpc/health/v1/health_pb.js";

const AT_ONCE = 8;
// How long a step is repeated, and with which pauses where the server asks for none, in milliseconds.
const REPEAT_FOR = 20_000, PAUSE = 100;
const CONNECT_WITHIN = 10_000;

const RPCS: Record<string, DescMethodUnary<DescMessage, DescMessage>> = {
  Query: TradeService.method.query,
  SwipeQuery: TradeService.method.swipeQuery,
  Refund: TradeService.method.refund,
  GetRefund: RefundLedgerService.method.getRefund,
};

class Runner {
  constructor(readonly channel: Channel, readonly sandbox: string, readonly tokens: Record<string, string>) {}

  /** Throws with what went wrong with a case, if something did. */
  async run(read: Case): Promise<void> {
    // Faults last: they are for the calls of the steps.
    const prepared = { orders: read.orders, refunds: read.past_refunds, faults: read.faults };
    for (const [path, bodies = []] of Object.entries(prepared)) {
      for (const body of bodies) {
        await this.#sandbox(path, { method: "POST", body: JSON.stringify(body) });
      }
    }
    for (const [at, step] of read.steps.entries()) {
      const wrong = await this.#step(step, read.name);
      if (wrong.length > 0) {
        throw new Error(`step ${at + 1}, ${step.rpc}: ${wrong.join("; ")}`);
      }
    }
    await this.#executed(read.executions ?? {});
  }

  async #step(step: Step, name: string): Promise<string[]> {
    const until = performance.now() + REPEAT_FOR;
    for (;;) {
      const came = await this.#call(step, name);
      const wrong = differences(step.expect, came);
      if (wrong.length === 0 || !step.repeat_until || performance.now() >= until) {
        return wrong;
      }
      const asked = "details" in came ? waitOf(came.details) : 0;
      await sleep(Math.min(asked || PAUSE, until - performance.now()));
    }
  }

  async #call(step: Step, name: string): Promise<Came> {
    const method = RPCS[step.rpc];
    const token = this.tokens[step.as];
    if (method === undefined || (token === undefined && step.as !== "nobody")) {
      throw new Error(`no such rpc or caller: ${step.rpc} as ${step.as}`);
    }
    const request = fromJson(method.input, step.request);
    try {
      const response = await this.channel.call(method, request, name, { token, timeout: step.deadline_ms });
      return { schema: method.output, response };
    } catch (error) {
      return { details: detailsOf(error as ServiceError) };
    }
  }

  /** Holds the sandbox's books against what the case says of them. */
  async #executed(expected: Record<string, number>): Promise<void> {
    const { executions } = await this.#sandbox("books") as { executions: { order_id: string }[] };
    for (const [number, times] of Object.entries(expected)) {
      const came = executions.filter((execution) => execution.order_id === number).length;
      if (came !== times) {
        throw new Error(`${number}: ${times} executions expected, ${came} came`);
      }
    }
  }

  async #sandbox(path: string, request?: RequestInit): Promise<unknown> {
    const response = await fetch(`${this.sandbox}/sandbox/${path}`, request);
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`sandbox, ${path}: HTTP ${response.status} ${text}`);
    }
    return text === "" ? undefined : JSON.parse(text);
  }
}

/** Tells of one case, and whether it passed. */
async function tried(runner: Runner, source: unknown): Promise<boolean> {
  const name = (source as Partial<Case> | null)?.name ?? "a case without a name";
  try {
    await runner.run(readCase(source));
    console.log(`ok      ${name}`);
    return true;
  } catch (error) {
    console.log(`FAILED  ${name}: ${(error as Error).message}`);
    return false;
  }
}

async function main(file: string): Promise<number> {
  const { SUNMI_TRADE_SERVER: server, SUNMI_TRADE_SANDBOX: sandbox } = process.env;
  if (!server || !sandbox) {
    throw new Error("SUNMI_TRADE_SERVER and SUNMI_TRADE_SANDBOX are needed: run it by with-server");
  }
  const { tokens, cases } = readTable(file);
  // The table says what each call comes to, so gRPC repeats none.
  const channel = new Channel({ server, timeout: CONNECT_WITHIN }, { "grpc.enable_retries": 0 });
  try {
    // Connects, so that no deadline of a step is spent on that.
    await channel.call(Health.method.check, create(HealthCheckRequestSchema), "conformance");
    const runner = new Runner(channel, sandbox, tokens);
    const left = cases.values();
    let passed = 0, failed = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (const source of left) {
        await tried(runner, source) ? passed++ : failed++;
      }
    }));
    console.log(`${passed} passed, ${failed} failed`);
    return failed > 0 || passed === 0 ? 1 : 0;
  } finally {
    channel.close();
  }
}

try {
  const table = fileURLToPath(new URL("../../conformance/cases.json", import.meta.url));
  process.exitCode = await main(process.argv[2] ?? table);
} catch (error) {
  console.error(`conformance: ${(error as Error).message}`);
  process.exitCode = 1;
}
