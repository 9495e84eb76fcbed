"""Envoy as Istio sets it up, with one listener for each way into the two replicas.

gateway     Envoy with Istio's default retries, straight to the replicas
sidecars    the caller's sidecar with Istio's default retries, then each replica's own
everything  the same, but the caller's sidecar repeats on every condition that Envoy knows
"""

import json
import os
import time
from collections import Counter
from pathlib import Path

import envoy

from world import wait_for

BINARY = Path(os.path.dirname(envoy.__file__)) / "_bin" / "envoy"
# How often it writes down what it did.
FLUSH_MS = 50
WAYS = ("gateway", "sidecars", "everything")

# What Istio gives every route that has no policy of its own.
ISTIO = {
    "retry_on": "connect-failure,refused-stream,unavailable,cancelled",
    "num_retries": 2,
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
            },
        }
    ],
    "host_selection_retry_max_attempts": 5,
}
EVERYTHING = ISTIO | {
    "retry_on": "5xx,gateway-error,reset,reset-before-request,connect-failure,refused-stream,"
    "retriable-4xx,cancelled,deadline-exceeded,internal,resource-exhausted,unavailable",
}
# What Istio gives the sidecar of a server.
INBOUND = {"retry_on": "reset-before-request", "num_retries": 2}


class Envoy:
    """The process. Its listeners are Unix sockets in `folder`."""

    ways = WAYS

    def __init__(self, folder, name, replicas):
        self.folder, self.name = folder, name
        self.calls_file = folder.file(f"{name}.calls")
        config = folder.file(f"{name}.json")
        config.write_text(json.dumps(self.config(replicas)))
        self.process = folder.start(
            name,
            [BINARY, "-c", config, "--concurrency", 1, "--disable-hot-restart",
             "--log-level", "error", "--file-flush-interval-msec", FLUSH_MS],
        )
        wait_for(lambda: all(self.socket(way).exists() for way in self.ways))
        # They exist a moment before they are served.
        time.sleep(0.3)

    def socket(self, listener):
        return self.folder.file(f"{self.name}.{listener}")

    def target(self, way):
        return f"unix:{self.socket(way)}"

    def counts(self, path):
        """How often each call, by its id, was passed on to a replica.

        Only the hop next to the replicas counts, and no try that ended without a connection
        (UF): a sidecar's replica was then gone, a gateway's first try may have been with the
        other one.
        """
        time.sleep(3 * FLUSH_MS / 1000)
        counts = Counter()
        text = self.calls_file.read_text() if self.calls_file.exists() else ""
        for line in text[: text.rfind("\n") + 1].splitlines():
            call = json.loads(line)
            last_hop = call["to"] not in ("sidecars", "everything")
            if last_hop and call["path"] == path:
                passed = call["attempts"]
                if "UF" in (call["flags"] or ""):
                    passed = passed - 1 if call["to"] == "gateway" else 0
                counts[call["id"]] += passed
        return counts

    def config(self, replicas):
        inbound = {f"inbound-{at}": replica for at, replica in enumerate(replicas)}
        sockets = [{"pipe": {"path": str(self.socket(name))}} for name in inbound]
        addresses = {name: tcp(replica.address) for name, replica in inbound.items()}
        listeners = [
            self.listener("gateway", ISTIO),
            self.listener("sidecars", ISTIO),
            self.listener("everything", EVERYTHING),
            *(self.listener(name, INBOUND) for name in inbound),
        ]
        clusters = [
            cluster("gateway", list(addresses.values())),
            cluster("sidecars", sockets),
            cluster("everything", sockets),
            *(cluster(name, [address]) for name, address in addresses.items()),
        ]
        return {"static_resources": {"listeners": listeners, "clusters": clusters}}

    def listener(self, name, retry_policy):
        route = {
            "cluster": name,
            "retry_policy": retry_policy,
            # As Istio has it: no time-out of its own, and the caller's counts.
            "timeout": "0s",
            "max_grpc_timeout": "0s",
        }
        host = {
            "name": "all",
            "domains": ["*"],
            "include_request_attempt_count": True,
            "routes": [{"match": {"prefix": "/"}, "route": route}],
        }
        log = {
            "id": "%REQ(X-REQUEST-ID)%",
            "path": "%REQ(:PATH)%",
            "to": name,
            "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
            "flags": "%RESPONSE_FLAGS%",
        }
        manager = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "codec_type": "HTTP2",
            "generate_request_id": False,
            "route_config": {"name": name, "virtual_hosts": [host]},
            "http_filters": [
                {
                    "name": "router",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                    },
                }
            ],
            "access_log": [
                {
                    "name": "file",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                        "path": str(self.calls_file),
                        "log_format": {"json_format": log},
                    },
                }
            ],
        }
        return {
            "name": name,
            "address": {"pipe": {"path": str(self.socket(name))}},
            "filter_chains": [
                {"filters": [{"name": "manager", "typed_config": manager}]},
            ],
        }


def tcp(address):
    host, port = address.rsplit(":", 1)
    return {"socket_address": {"address": host, "port_value": int(port)}}


def cluster(name, addresses):
    options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": name,
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": address}} for address in addresses]}
            ],
        },
        # Istio lifts Envoy's limit of three retries at a time.
        "circuit_breakers": {"thresholds": [{"max_retries": 4294967295}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": options,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
