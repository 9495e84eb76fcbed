"""A proxy that only asks istiod for its listeners; what it is given is read from istiod's own dump.

An Envoy whose clusters speak the mesh's TLS asks for no listeners before it has certificates, which nobody hands
out here.
"""

import json
import queue

import grpc

from istiod import hosts_in
from world import http

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"


class Subscriber:
    def __init__(self, istiod, role, name, namespace, labels):
        self.istiod, self.id = istiod, f"{name}.{namespace}"
        metadata = {"NAMESPACE": namespace, "ISTIO_VERSION": "1.31.0", "CLUSTER_ID": "Kubernetes", "NAME": name, "LABELS": labels, "SERVICE_ACCOUNT": name}
        # Another address than the servers have, by which istiod would take it for one of them.
        node = text(1, f"{role}~127.0.0.2~{self.id}~{namespace}.svc.cluster.local") + field(3, struct(metadata))
        self.requests = queue.SimpleQueue()
        self.requests.put(field(2, node) + text(4, LISTENER))
        self.channel = grpc.insecure_channel(f"127.0.0.1:{istiod.grpc}")
        self.stream = self.channel.stream_stream(METHOD)(iter(self.requests.get, None))
        # From its first answer on istiod knows this proxy.
        next(self.stream)

    def listeners(self):
        dump = json.loads(http(f"http://127.0.0.1:{self.istiod.http}/debug/config_dump?proxyID={self.id}"))
        return [it for it in dump["configs"] if it["@type"].endswith("ListenersConfigDump")]

    def routes(self):
        """By the listener's filter chain and the virtual host's name."""
        found = {}
        for listener in self.listeners():
            for chain in chains_in(listener):
                for virtual_host in hosts_in(chain):
                    found[chain["name"], virtual_host["name"]] = virtual_host["routes"]
        return found

    def end(self):
        self.requests.put(None)
        self.stream.cancel()
        self.channel.close()


def chains_in(it):
    """The filter chains, wherever they are."""
    if isinstance(it, dict):
        for key, value in it.items():
            if key == "filterChains":
                yield from value
            else:
                yield from chains_in(value)
    elif isinstance(it, list):
        for value in it:
            yield from chains_in(value)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, content):
    """A field of bytes, in protobuf."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def text(number, value):
    return field(number, value.encode())


def struct(values):
    """google.protobuf.Struct."""
    entry = lambda key, value: text(1, key) + field(2, field(5, struct(value)) if isinstance(value, dict) else text(3, value))
    return b"".join(field(1, entry(key, value)) for key, value in values.items())
