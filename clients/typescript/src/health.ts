// Asks a server for its health, and does not wait for one that cannot be reached: so it tells why, which a
// call that waits does not. Exit status: 0 serving, 1 not, 64 wrong usage.
//
//     node dist/health.js --server 127.0.0.1:50051 [--service sunmi.trade.v1.TradeService] [--ca FILE ...]

import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import { Channel } from "./channel.js";
import { detailsOf, nameOf, words } from "./details.js";
import {
  Health, HealthCheckRequestSchema, HealthCheckResponse_ServingStatus as Status, HealthCheckResponse_ServingStatusSchema,
} from "./gen/grpc/health/v1/health_pb.js";
import { ACCESS_FLAGS, accessOf } from "./options.js";

const FLAGS = { ...ACCESS_FLAGS, service: { type: "string" } } as const;

function open(): { channel: Channel; service: string } {
  const { values: given } = parseArgs({ args: process.argv.slice(2), options: FLAGS, strict: true });
  return { channel: new Channel(accessOf(given), { "grpc.enable_retries": 0 }), service: given.service ?? "" };
}

async function check(channel: Channel, service: string): Promise<number> {
  try {
    const request = create(HealthCheckRequestSchema, { service });
    const { status } = await channel.call(Health.method.check, request, "health", { waitForReady: false });
    console.log(nameOf(HealthCheckResponse_ServingStatusSchema, status));
    return status === Status.SERVING ? 0 : 1;
  } catch (error) {
    console.error(words(detailsOf(error as ServiceError)));
    return 1;
  } finally {
    channel.close();
  }
}

try {
  const { channel, service } = open();
  process.exitCode = await check(channel, service);
} catch (error) {
  console.error(`health: ${(error as Error).message}`);
  process.exitCode = 64;
}
