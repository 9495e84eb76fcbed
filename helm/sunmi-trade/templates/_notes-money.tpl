{{/* What is told of where money could be lost: by the ledger, and by those who may call. */}}

{{- define "sunmi-trade.notes.ledger" -}}
{{- if include "sunmi-trade.money" . }}
{{- $sqlite := eq (include "sunmi-trade.ledger" .) "sqlite" }}
{{- if and .Values.ledger.create .Release.IsUpgrade }}

WARNING: this was an upgrade with ledger.create=true. If it gave the server another ledger (ledger.type, its
  URL or claim, another name or namespace), the new pod began with an EMPTY one, perhaps while the old pod
  served: refunds that are repeated there are sent AGAIN. Stop both then (replicaCount=0), and compare them.
  If it did not: set ledger.create=false now.
{{- else if .Values.ledger.create }}

LEDGER: it is made if it is not there. Once the first pod was ready, set ledger.create=false, so that no
  server ever begins with an empty one: a pod that misses its ledger does not start then.
{{- end }}

MOVING THE LEDGER: never by an upgrade alone, in which an old pod and a new one serve with two ledgers, and a
  refund can happen twice. Stop all pods first (replicaCount=0, autoscaling.enabled=false), copy, and start
  with ledger.create=false. The chart's README has the steps. They are for ledger.type, for
  {{ $sqlite | ternary "the claim, and for names by which it is called (fullnameOverride, nameOverride)" "the database's URL" }}.
{{- if and $sqlite .Values.ledger.persistence.enabled (not .Values.ledger.persistence.existingClaim) (not .Values.ledger.persistence.keep) }}

WARNING: ledger.persistence.keep is false: the ledger goes with the release, or with a change of its name, and
  refunds that are repeated after that are sent again. Set ledger.persistence.keep=true.
{{- end }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.notes.callers" -}}
{{- $mesh := .Values.mesh }}
{{- $trust := .Values.callers.trust }}
{{- $public := include "sunmi-trade.public" . }}
{{- if and (ne $mesh.type "none") (not $mesh.callers) (not .Values.callers.list) }}

WARNING: mesh.callers is empty: whoever is in the mesh may call.
{{- end }}
{{- if and (ne $mesh.type "none") (not $mesh.inject) }}

WARNING: mesh.inject is false: pods are in the mesh only if their namespace is labelled for it. If it is not,
  nothing holds callers to mesh.callers{{ if not .Values.callers.list }}, and whoever reaches the pod may refund{{ end }}. See that it is:
    kubectl get namespace {{ .Release.Namespace }} --show-labels
{{- end }}
{{- if and $public .Values.callers.trustPublic }}

WARNING: callers.trustPublic is true: whoever reaches {{ $public }} from outside of the cluster may
  refund. See to it that what stands before it lets only the right ones through.
{{- end }}
{{- if and (eq $trust "network") (eq $mesh.type "none") (include "sunmi-trade.money" .) }}

WARNING: callers.trust is network: whoever reaches the pod may refund. See to it that the network lets only
  the right ones through, such as by networkPolicy.ingress.from.
{{- end }}
{{- if and (has $trust (list "envoy" "linkerd")) (eq $mesh.type "none") }}

WARNING: callers.trust is {{ $trust }} but mesh.type is none: the server believes who a caller says it is. Whoever
  reaches the pod past a proxy of that mesh may refund, under any name. Set mesh.type, which sees to the proxy.
{{- end }}
{{- if and (hasPrefix "istio-" $mesh.type) $mesh.callers (or .Values.grpcRoute.enabled .Values.ingress.enabled $mesh.istio.virtualService.gateways) }}

GATEWAY: what comes through it has the gateway's identity, and not its callers'. It is refused until the
  gateway's service account is in mesh.callers (of a Gateway's it is NAME-istio in the Gateway's namespace).
  Whoever passes the gateway may then do all that it may, a refund included: give it no more rpcs than those
  callers need, and let the gateway check who they are.
{{- end }}
{{- end }}
