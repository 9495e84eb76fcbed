// The connection to the server: calls with a deadline, an id, a token, and patience for a restart.

import { readFileSync } from "node:fs";
import { type DescMessage, type DescMethodUnary, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  type ChannelCredentials, type ChannelOptions, Client, credentials, Metadata, type ServiceError,
} from "@grpc/grpc-js";

/** How to reach the server, and who calls. */
export interface Access {
  server: string;
  /** How long one call may take, in milliseconds. */
  timeout: number;
  tokenFile?: string | undefined;
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

// As docs/grpc-service-config.json: gRPC repeats reads by itself, and never a Refund.
const reads = ["Query", "SwipeQuery"].map((method) => ({ service: "sunmi.trade.v1.TradeService", method }));
const looks = ["GetRefund", "ListRefunds"].map((method) => ({ service: "sunmi.trade.v1.RefundLedgerService", method }));
const serviceConfig = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [{
    name: [...reads, ...looks],
    retryPolicy: {
      maxAttempts: 2, initialBackoff: "0.2s", maxBackoff: "1s", backoffMultiplier: 2,
      retryableStatusCodes: ["UNAVAILABLE"],
    },
  }],
  retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
};

const options: ChannelOptions = {
  "grpc.service_config": JSON.stringify(serviceConfig),
  // Nor does a TXT record in DNS have it repeat others.
  "grpc.service_config_disable_resolution": 1,
  // After failures a channel waits before it connects again; by default for up to 2 minutes, longer
  // than any call here.
  "grpc.initial_reconnect_backoff_ms": 500,
  "grpc.max_reconnect_backoff_ms": 3000,
  // Finds out within half a minute that the server is gone though nobody says so.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  // Else http_proxy and its like are obeyed, also for a server beside this process.
  "grpc.enable_http_proxy": 0,
};

export interface CallOptions {
  token?: string | undefined;
  timeout?: number;
  /** While the channel is connecting, the call waits, for as long as its deadline. */
  waitForReady?: boolean;
}

/** One for the whole program. It connects when it is first used. */
export class Channel {
  readonly #client: Client;
  readonly #access: Access;

  constructor(access: Access, overrides: ChannelOptions = {}) {
    this.#access = access;
    this.#client = new Client(access.server, transport(access), { ...options, ...overrides });
  }

  /** Makes a call. What the server, or the way to it, fails it with is a ServiceError, see detailsOf. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>, request: MessageShape<I>, requestId: string,
    { token = this.#token(), timeout = this.#access.timeout, waitForReady = true }: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const metadata = new Metadata({ waitForReady });
    metadata.set("x-request-id", requestId);
    if (token !== undefined) {
      metadata.set("authorization", `Bearer ${token}`);
    }
    const path = `/${method.parent.typeName}/${method.name}`;
    // Here, so that a value that is none of the contract's throws before anything is sent.
    const bytes = Buffer.from(toBinary(method.input, request));
    return await new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        (ready: Buffer) => ready,
        (received: Buffer) => fromBinary(method.output, received),
        bytes,
        metadata,
        { deadline: Date.now() + timeout },
        (error: ServiceError | null, response?: MessageShape<O>) => error ? reject(error) : resolve(response!),
      );
    });
  }

  close(): void {
    this.#client.close();
  }

  /** Read for each call, so that it may be renewed. */
  #token(): string | undefined {
    const file = this.#access.tokenFile;
    return file === undefined ? undefined : readFileSync(file, "utf8").trim();
  }
}

function transport({ ca, cert, key }: Access): ChannelCredentials {
  const read = (file: string | undefined) => file === undefined ? null : readFileSync(file);
  return ca === undefined
    ? credentials.createInsecure()
    : credentials.createSsl(read(ca), read(key), read(cert));
}
