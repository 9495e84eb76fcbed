"""A real istiod on the API server, and Envoys that take their configuration from it."""

import json
import urllib.error

from world import ISTIO, free_port, http, until

DOMAIN = "cluster.local"


class Istiod:
    def __init__(self, world, default_attempts=None):
        self.world = world
        self.http, self.grpc = free_port(), free_port()
        mesh = {"enableAutoMtls": False, "defaultConfig": {"discoveryAddress": f"127.0.0.1:{self.grpc}"}}
        if default_attempts is not None:
            mesh["defaultHttpRetryPolicy"] = {"attempts": default_attempts}
        config = world.folder / "mesh.yaml"
        config.write_text(json.dumps(mesh))
        self.process = world.spawn("istiod", [
            ISTIO / "pilot-discovery", "discovery", "--kubeconfig", world.kubeconfig, "--meshConfig", config, "--networksConfig", "/dev/null",
            "--httpAddr", f"127.0.0.1:{self.http}", "--httpsAddr", f"127.0.0.1:{free_port()}", "--grpcAddr", f"127.0.0.1:{self.grpc}",
            "--secureGRPCAddr", f"127.0.0.1:{free_port()}", "--monitoringAddr", f"127.0.0.1:{free_port()}",
            "--ctrlz_address", "127.0.0.1", "--ctrlz_port", str(free_port()), "--shutdownDuration", "1s",
        ], {
            "PILOT_ENABLE_ALPN_FILTER": "false", "PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_AMBIENT": "true",
            "POD_NAME": "istiod-0", "POD_NAMESPACE": "istio-system", "PILOT_CERT_PROVIDER": "istiod", "REVISION": "default",
        })
        until("an istiod that is ready", lambda: self.ready())

    def ready(self):
        if self.process.poll() is not None:
            raise SystemExit(f"istiod ended: {self.world.log_of('istiod')}")
        try:
            http(f"http://127.0.0.1:{self.http}/ready")
            return True
        except urllib.error.HTTPError:
            return False

    def end(self):
        self.process.terminate()
        self.process.wait()


class Envoy:
    """A sidecar (the role) of a pod of that name."""

    def __init__(self, world, istiod, role, name, namespace, labels):
        self.world, self.name = world, name
        self.admin = free_port()
        metadata = {"NAMESPACE": namespace, "INTERCEPTION_MODE": "NONE", "ISTIO_VERSION": "1.31.0", "CLUSTER_ID": "Kubernetes",
                    "NAME": name, "LABELS": labels, "SERVICE_ACCOUNT": name, "NETWORK": "",
                    # Nobody here hands out certificates, for which clusters would wait.
                    "DISABLE_HBONE_SEND": "true"}
        ads = {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": {"cluster_name": "istiod"}}]}
        config = {
            "node": {"id": f"{role}~127.0.0.1~{name}.{namespace}~{namespace}.svc.{DOMAIN}", "cluster": f"{name}.{namespace}", "metadata": metadata},
            "admin": {"address": address_of(self.admin)},
            "dynamic_resources": {"ads_config": ads, "lds_config": {"ads": {}, "resource_api_version": "V3"}, "cds_config": {"ads": {}, "resource_api_version": "V3"}},
            "static_resources": {"clusters": [{
                "name": "istiod", "type": "STATIC", "connect_timeout": "5s", "http2_protocol_options": {},
                "load_assignment": {"cluster_name": "istiod", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address_of(istiod.grpc)}}]}]},
            }]},
        }
        file = world.folder / f"{name}.json"
        file.write_text(json.dumps(config))
        self.process = world.spawn(name, ["envoy", "-c", file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"])

    def routes(self):
        """All routes that it has, by the name of their virtual host's first domain and their own."""
        dump = json.loads(http(f"http://127.0.0.1:{self.admin}/config_dump"))
        found = {}
        for virtual_host in hosts_in(dump):
            for route in virtual_host["routes"]:
                found.setdefault(virtual_host["name"], []).append(route)
        return found

    def end(self):
        self.process.terminate()
        self.process.wait()


def address_of(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def hosts_in(it):
    """The virtual hosts, wherever they are in what an Envoy dumps."""
    if isinstance(it, dict):
        for key, value in it.items():
            if key in ("virtual_hosts", "virtualHosts"):
                yield from value
            else:
                yield from hosts_in(value)
    elif isinstance(it, list):
        for value in it:
            yield from hosts_in(value)
