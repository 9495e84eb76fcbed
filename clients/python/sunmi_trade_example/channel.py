"""Connections and calls: TLS, token, deadline, wait-for-ready, and what gRPC may repeat."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path

import grpc

# gRPC repeats reads by itself, and never a Refund: whoever repeats one has to look at the answer.
READS = [
    {"service": "sunmi.trade.v1.TradeService", "method": "Query"},
    {"service": "sunmi.trade.v1.TradeService", "method": "SwipeQuery"},
    {"service": "sunmi.trade.v1.RefundLedgerService", "method": "GetRefund"},
    {"service": "sunmi.trade.v1.RefundLedgerService", "method": "ListRefunds"},
]
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [{
        "name": READS,
        "retryPolicy": {
            "maxAttempts": 2,
            "initialBackoff": "0.2s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}


@dataclass(frozen=True)
class Access:
    """How to reach the server. Without `ca` it is spoken to in plaintext."""

    server: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token_file: Path | None = None

    def open(self) -> grpc.Channel:
        """A channel, one for the whole program. It connects when it is first used."""
        options = [
            ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
            # After a failure a channel waits before it connects anew; by default up to 2 minutes.
            ("grpc.max_reconnect_backoff_ms", 5_000),
        ]
        if self.ca is None:
            return grpc.insecure_channel(self.server, options)
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self.ca.read_bytes(),
            private_key=self.key.read_bytes() if self.key else None,
            certificate_chain=self.certificate.read_bytes() if self.certificate else None,
        )
        return grpc.secure_channel(self.server, credentials, options)

    def metadata(self) -> list[tuple[str, str]]:
        """Of one call: an id that the server logs, and the token as it is in the file now."""
        metadata = [("x-request-id", uuid.uuid4().hex)]
        if self.token_file:
            token = self.token_file.read_text(encoding="ascii").strip()
            metadata.append(("authorization", f"Bearer {token}"))
        return metadata

    def call(self, method, request, seconds: float):
        """Makes a call with a deadline. Without wait-for-ready it would fail at once while the
        server restarts, and for as long as the channel waits before it connects anew."""
        return method(request, timeout=seconds, wait_for_ready=True, metadata=self.metadata())
