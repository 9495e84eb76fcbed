// Makes a refund, and finds out what became of it: done, declined, or still pending.
//
//     node dist/refund.js --server 127.0.0.1:50051 --store refunds --number R-1 --original DEMO-1 --amount 100
//     node dist/refund.js --server 127.0.0.1:50051 --store refunds --resume

import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type Answer, ofError, ofFailedLook, ofLook, ofResponse, type Outcome, sameContent } from "./answer.js";
import { Channel } from "./channel.js";
import { GetRefundRequestSchema, RefundLedgerService } from "./gen/sunmi/trade/v1/refund_ledger_service_pb.js";
import { type RefundRequest, TradeService } from "./gen/sunmi/trade/v1/trade_service_pb.js";
import { lock } from "./lock.js";
import { type Options, parseOptions, usage } from "./options.js";
import { fileName, Store, type StoredRefund } from "./store.js";

// Node itself ends with 1: no outcome has that.
const STATUS: Record<Outcome, number> = { DONE: 0, DECLINED: 3, PENDING: 4 };
const WRONG_USAGE = 64;
// Without RetryInfo the wait grows from the first to the second; with it, it is at most the third.
const FIRST_WAIT = 1000, LONGEST_WAIT = 10_000, LONGEST_ASKED = 30_000;

class Refunder {
  constructor(readonly channel: Channel, readonly store: Store, readonly patience: number) {}

  /** Records a refund before anything is sent. A restart finds the record of the earlier run. */
  begin(request: RefundRequest): { record: StoredRefund; asked: boolean } {
    const found = this.store.read(request.orderId);
    if (found !== undefined && !sameContent(found.request, request)) {
      throw new Error(`${request.orderId}: the store has this number with other content`);
    }
    const besides = request.acknowledgedOpenOrderIds;
    const record: StoredRefund = found ?? { outcome: "PENDING", request };
    if (record.outcome === "PENDING" && besides.length > 0) {
      // No part of the content: whoever repeats the refund may have learned of them since.
      record.request.acknowledgedOpenOrderIds = besides;
    }
    if (record.outcome === "PENDING") {
      this.store.write(record);
    }
    return { record, asked: found !== undefined };
  }

  /**
   * Works on a record until it is settled, patience is over, or a person has to go on.
   * asked: an earlier run may have called. Every Refund has the same number and content.
   */
  async settle(record: StoredRefund, asked: boolean): Promise<void> {
    const until = performance.now() + this.patience;
    let wait = FIRST_WAIT;
    for (let first = true; record.outcome === "PENDING"; first = false) {
      // A look moves nothing, so it comes before each Refund but the very first.
      let answer = asked || !first ? await this.look(record.request) : undefined;
      const mayRefund = answer === undefined || (answer.outcome === "PENDING" && answer.refund);
      if (mayRefund && (first || performance.now() < until)) {
        answer = await this.refund(record.request);
      }
      if (answer !== undefined && answer.outcome !== "PENDING") {
        this.note(record, answer.outcome);
        return;
      }
      const left = until - performance.now();
      if (answer?.stop || left <= 0) {
        console.error(`${record.request.orderId}: left pending; work on it again with --resume`);
        return;
      }
      const pause = answer?.wait ? Math.min(answer.wait, LONGEST_ASKED) : wait;
      await sleep(Math.min(pause, left));
      wait = Math.min(2 * wait, LONGEST_WAIT);
    }
  }

  /** Notes how it ended. If that cannot be written, the record stays as it is: pending. */
  private note(record: StoredRefund, outcome: Outcome): void {
    try {
      this.store.write({ ...record, outcome });
      record.outcome = outcome;
    } catch (error) {
      console.error(`${record.request.orderId}: ${outcome}, but that could not be stored: ${error}`);
    }
  }

  private async refund(request: RefundRequest): Promise<Answer> {
    const called = this.channel.call(TradeService.method.refund, request, fileName(request.orderId));
    return told(request, "Refund", await called.then(ofResponse).catch(ofError));
  }

  private async look(request: RefundRequest): Promise<Answer> {
    const { appId, orderId } = request;
    const asked = create(GetRefundRequestSchema, { appId, orderId });
    const called = this.channel.call(RefundLedgerService.method.getRefund, asked, fileName(orderId));
    return told(request, "GetRefund", await called.then((it) => ofLook(request, it)).catch(ofFailedLook));
  }
}

function told({ orderId }: RefundRequest, rpc: string, answer: Answer): Answer {
  console.error(`${new Date().toISOString()} ${orderId}: ${rpc}: ${answer.words}`);
  return answer;
}

/** Works on one refund, and gives its exit status. */
async function one(refunder: Refunder, request: RefundRequest): Promise<number> {
  const held = await lock(refunder.store.folder, request.orderId);
  if (held === undefined) {
    console.error(`${request.orderId}: another process works on it`);
    return left(request, "PENDING");
  }
  try {
    const { record, asked } = refunder.begin(request);
    await refunder.settle(record, asked);
    return left(request, record.outcome);
  } finally {
    held.release();
  }
}

/** Works on what earlier runs left pending, one after the other. */
async function resume(refunder: Refunder): Promise<number> {
  let worst = STATUS.DONE;
  for (const number of refunder.store.numbers()) {
    try {
      const found = refunder.store.read(number);
      if (found === undefined) {
        throw new Error("no record has the name of this number");
      }
      if (found.outcome === "PENDING") {
        worst = Math.max(worst, await one(refunder, found.request));
      }
    } catch (error) {
      // For a person, and not in the way of the others.
      console.error(`${number}: ${(error as Error).message}`);
      worst = STATUS.PENDING;
    }
  }
  return worst;
}

/** Tells how a refund was left. */
function left({ orderId }: RefundRequest, outcome: Outcome): number {
  console.log(`${orderId} ${outcome.toLowerCase()}`);
  return STATUS[outcome];
}

async function main({ access, store, patience, request }: Options): Promise<number> {
  const refunder = new Refunder(new Channel(access), new Store(store), patience);
  try {
    if (request === undefined) {
      return await resume(refunder);
    }
    refunder.store.create();
    return await one(refunder, request);
  } finally {
    refunder.channel.close();
  }
}

try {
  process.exitCode = await main(parseOptions(process.argv.slice(2)));
} catch (error) {
  // Nothing was sent: all that comes after the first call is an answer, and never thrown.
  console.error(`refund: ${(error as Error).message}\n${usage}`);
  process.exitCode = WRONG_USAGE;
}
