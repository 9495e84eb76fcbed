// Calls sunmi-trade by grpc-js with proto-loader, without generated code, and with the guards that money
// needs. ../proto-loader.md says what each is for.

import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const folder = (path) => fileURLToPath(new URL(path, import.meta.url));

export const OPTIONS = {
  // The contract's own folder, and the one with google/rpc; adapt them to where yours are.
  includeDirs: [folder("../../../proto"), folder("../proto")],
  // int64 as text. By default it is a Long, and with Number it is rounded above 2^53.
  longs: String,
  // Names, so that no number is compared with. One of a newer server stays a number.
  enums: String,
  // Else false, 0 and an enum's first value are not there. Optional fields stay absent all the same.
  defaults: true,
  // Which member of a oneof is set.
  oneofs: true,
};

export const FILES = [
  "sunmi/trade/v1/trade_service.proto", "sunmi/trade/v1/refund_ledger_service.proto", "sunmi/trade/v1/error.proto",
  "google/rpc/status.proto", "google/rpc/error_details.proto",
];

const DEFINITION = loader.loadSync(FILES, OPTIONS);

// The details that docs/errors.md names, by their property in what detailsOf gives.
const DETAILS = {
  trade: "sunmi.trade.v1.TradeError", info: "google.rpc.ErrorInfo", request: "google.rpc.RequestInfo",
  retry: "google.rpc.RetryInfo", invalid: "google.rpc.BadRequest", quota: "google.rpc.QuotaFailure",
  localized: "google.rpc.LocalizedMessage",
};

/**
 * Opens a channel. Each of query, swipeQuery, refund, getRefund and listRefunds takes a request and gives a
 * promise of the response, with int64 as bigint; what it fails with has the details as `error.said`.
 */
export function connect(server, { credentials = grpc.credentials.createInsecure(), timeout = 10_000, token } = {}) {
  const channel = new grpc.Client(server, credentials, {
    "grpc.max_reconnect_backoff_ms": 3000,
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_http_proxy": 0,
  });
  const rpc = (service, name) => (request, id = request.orderId) =>
    call(channel, DEFINITION[`sunmi.trade.v1.${service}`][name], request, { id, timeout, token: token?.() });
  return {
    query: rpc("TradeService", "Query"),
    swipeQuery: rpc("TradeService", "SwipeQuery"),
    refund: rpc("TradeService", "Refund"),
    getRefund: rpc("RefundLedgerService", "GetRefund"),
    listRefunds: rpc("RefundLedgerService", "ListRefunds"),
    close: () => channel.close(),
  };
}

async function call(channel, method, request, { id, timeout, token }) {
  const bytes = encoded(method, request);
  const metadata = new grpc.Metadata({ waitForReady: true });
  if (id) metadata.set("x-request-id", encodeURIComponent(id));
  if (token) metadata.set("authorization", `Bearer ${token}`);
  const response = await new Promise((resolve, reject) => {
    const ended = (error, value) => error ? reject(Object.assign(error, { said: detailsOf(error) })) : resolve(value);
    const options = { deadline: Date.now() + timeout };
    channel.makeUnaryRequest(method.path, (ready) => ready, method.responseDeserialize, bytes, metadata, options, ended);
  });
  return withBigints(method.responseType.type, response);
}

/**
 * The request on the wire. Throws unless all of it would arrive as it was said: no name that is no
 * field's, no amount that is cut, rounded or wrapped, not two members of a oneof.
 */
export function encoded(method, request) {
  const bytes = method.requestSerialize(asText(request));
  const arrives = method.requestDeserialize(bytes);
  unchanged("request", request, arrives);
  for (const { name } of method.requestType.type.oneofDecl) {
    const alone = (key) => method.requestDeserialize(method.requestSerialize({ [key]: asText(request[key]) }));
    const members = Object.keys(request).filter((key) => request[key] !== undefined && alone(key)[name] === key);
    if (members.length > 1) {
      throw new TypeError(`request.${name}: one of ${members.join(" and ")}, not both`);
    }
  }
  return bytes;
}

function unchanged(path, said, arrives) {
  if (said === undefined) return;
  if (Array.isArray(said) && Array.isArray(arrives) && said.length === arrives.length) {
    said.forEach((value, at) => unchanged(`${path}[${at}]`, value, arrives[at]));
  } else if (isPlain(said) && typeof arrives === "object" && arrives !== null) {
    Object.keys(said).forEach((key) => unchanged(`${path}.${key}`, said[key], arrives[key]));
  } else if ((typeof said === "bigint" ? String(said) : said) !== arrives) {
    // A number for an int64 ends here, too: it would arrive as text. Say it as a bigint.
    const shown = (value) => typeof value === "bigint" ? `${value}n` : JSON.stringify(value) ?? "nothing";
    throw new TypeError(`${path}: ${shown(said)} would arrive as ${shown(arrives)}`);
  }
}

/** A bigint as text: what older versions of `long` make of a bigint is 0. */
function asText(value) {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(asText);
  return isPlain(value) ? Object.fromEntries(Object.entries(value).map(([key, it]) => [key, asText(it)])) : value;
}

function isPlain(value) {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** int64 as bigint: text compares and adds as text, "9" > "10". */
function withBigints(type, message) {
  for (const field of type.field) {
    const value = message[field.name];
    if (value === undefined || value === null) continue;
    const each = (convert) => message[field.name] = Array.isArray(value) ? value.map(convert) : convert(value);
    if (field.type === "TYPE_INT64") each(BigInt);
    const inner = field.type === "TYPE_MESSAGE" && DEFINITION[nameOf(field.typeName)];
    if (inner) each((it) => withBigints(inner.type, it));
  }
  return message;
}

// Fields name the types of their own package without it.
function nameOf(typeName) {
  const name = typeName.replace(/^\./, "");
  return name in DEFINITION ? name : `sunmi.trade.v1.${name}`;
}

/**
 * What an error says. grpc-js leaves the trailer to its callers. Without `trade` the error is not the
 * server's own, and of a Refund says nothing: the money may have moved.
 */
export function detailsOf(error) {
  const said = {};
  const [trailer] = error.metadata?.get("grpc-status-details-bin") ?? [];
  try {
    // Any is built into protobufjs, which keeps its names as they are in the contract.
    for (const { type_url: url, value } of DEFINITION["google.rpc.Status"].deserialize(trailer).details) {
      for (const [property, type] of Object.entries(DETAILS)) {
        if (url === `type.googleapis.com/${type}`) said[property] = DEFINITION[type].deserialize(value);
      }
    }
  } catch {
    // Broken, or not there: no details at all.
    return {};
  }
  return said;
}

/** What an answer to Refund proves. All that is not named here, numbers among it, proves nothing. */
export function outcomeOf(response, error) {
  if (error) return error.said?.trade?.refundOutcome === "REFUND_OUTCOME_NOT_APPLIED" ? "DECLINED" : "PENDING";
  return { TRADE_STATE_SUCCEEDED: "DONE", TRADE_STATE_FAILED: "DECLINED" }[response.state] ?? "PENDING";
}
