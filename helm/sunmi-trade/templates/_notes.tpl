{{/* What the chosen way cannot promise, and what is left to do. */}}
{{- define "sunmi-trade.notes" -}}
{{- $mesh := .Values.mesh }}
{{- if eq $mesh.type "istio-sidecar" }}

ISTIO, SIDECARS:
  * Refund and whatever is not named is sent on once (attempts: 0); reads again only if they never
    reached the server. Without this VirtualService Istio's default would repeat refunds.
  * Without its CNI plugin Istio's init container violates the pod security standard "restricted".
{{- if not $mesh.istio.virtualService.enabled }}
  * WARNING: mesh.istio.virtualService.enabled is false: Istio repeats refunds by default. The server
    sends each one once all the same, and callers may be told REFUND_OUTCOME_UNKNOWN.
{{- end }}
{{- end }}
{{- if eq $mesh.type "istio-ambient" }}

ISTIO, AMBIENT:
{{- if $mesh.istio.waypoint.name }}
  * The waypoint {{ $mesh.istio.waypoint.name }} keeps to the VirtualService for calls to the Service. For calls to a
    pod's own address it repeats by Istio's default whatever the VirtualService says: what holds there
    is the server itself, which sends a refund once. To forbid it, set in the mesh's configuration
    defaultHttpRetryPolicy.attempts to 0.
  * VirtualServices at waypoints are alpha: do not mix them with an HTTPRoute or GRPCRoute of the Service.
{{- else }}
  * Without a waypoint nothing repeats calls, and nothing tells methods apart: callers may do all or
    nothing. A waypoint that is added later repeats refunds by default; set mesh.istio.waypoint.name then.
{{- end }}
{{- end }}
{{- if eq $mesh.type "linkerd" }}

LINKERD:
  * It repeats nothing unless told so: never set retry.linkerd.io annotations on the Service, nor a
    ServiceProfile with isRetryable, which wins over routes in silence.
  * Without native sidecars its proxy refuses new connections once it is told to stop: a refund that
    is begun during the drain fails then, and is found out afterwards.
{{- if and $mesh.linkerd.egress.enabled (include "sunmi-trade.egress" .) }}
  * WARNING: mesh.linkerd.egress.enabled denies all pods of namespace {{ .Release.Namespace }} whatever lies outside of
    {{ with $mesh.linkerd.egress.networks }}the cluster within mesh.linkerd.egress.networks{{ else }}the cluster{{ end }}, but for Sunmi: a database or a collector out there, too. Let each out by a
    route on the EgressNetwork {{ include "sunmi-trade.suffixed" (list . "egress") }} in extraObjects, or leave it out of mesh.linkerd.egress.networks.
{{- end }}
{{- end }}
{{- if .Values.grpcRoute.enabled }}

GRPCROUTE: it has no word for retries or timeouts. A gateway of Istio's repeats refunds by default (its
  mesh's defaultHttpRetryPolicy.attempts: 0 forbids it{{ if eq $mesh.type "istio-sidecar" }}, and so does a VirtualService: mesh.istio.virtualService.gateways{{ end }}); for Envoy Gateway add
  a BackendTrafficPolicy without retries by extraObjects. The server sends a refund once whatever they do.
{{- end }}
{{- include "sunmi-trade.notes.callers" . }}
{{- if and .Values.callers.list (not .Values.tls.enabled) (eq $mesh.type "none") }}

WARNING: callers' tokens travel in plain text: set tls.enabled, or a mesh.
{{- end }}
{{- include "sunmi-trade.notes.ledger" . }}
{{- if .Values.autoscaling.enabled }}

AUTOSCALING: where a Deployment that ran with replicaCount is given an autoscaler, this upgrade takes its
  replicas out, and Kubernetes goes to one pod until the autoscaler acts. See that they are as many as before:
    kubectl --namespace {{ .Release.Namespace }} scale deployment/{{ include "sunmi-trade.fullname" . }} --replicas=NUMBER
  The chart's README tells how Helm 4 keeps them.
{{- end }}
{{- if not .Values.image.registry }}{{ if not (.Values.global).imageRegistry }}

IMAGE: image.registry is empty: nodes look for {{ include "sunmi-trade.image" . }} in their default registry.
{{- end }}{{ end }}
{{- end }}

{{/* How a caller shows who it is, as arguments of grpcurl. */}}
{{- define "sunmi-trade.notes.identity" -}}
{{- if and .Values.tls.enabled .Values.tls.clientCA.enabled (eq .Values.tls.clientCA.certificates "required") }}-cert client.crt -key client.key {{ end }}
{{- $tokens := false }}
{{- range .Values.callers.list }}{{ if .tokensKey }}{{ $tokens = true }}{{ end }}{{ end }}
{{- if $tokens }}-H "authorization: Bearer $TOKEN" {{ end }}
{{- end }}
