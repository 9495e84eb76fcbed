{{/*
What follows from the values, in one place. Yes is "true", no is empty, so that they can be used as
conditions.
*/}}

{{/* Whether money may move, as the server assumes it (docs/configuration.md). */}}
{{- define "sunmi-trade.money" -}}
{{- $sunmi := .Values.sunmi }}
{{- if eq $sunmi.environment "production" }}true
{{- else if eq $sunmi.environment "custom" }}{{ if ne $sunmi.money "play" }}true{{ end }}
{{- else if eq $sunmi.environment "test" }}{{ if eq $sunmi.money "real" }}true{{ end }}
{{- end }}
{{- end }}

{{/* Which kind of ledger there is: where no money can move, memory will do. */}}
{{- define "sunmi-trade.ledger" -}}
{{- if .Values.ledger.type }}{{ .Values.ledger.type }}
{{- else if not (include "sunmi-trade.money" .) }}memory
{{- end }}
{{- end }}

{{/*
The setting callers as a word, or nothing: what is said, or what the mesh is that holds callers to
mesh.callers. Istio does so only with its policies in force.
*/}}
{{- define "sunmi-trade.trust" -}}
{{- $mesh := .Values.mesh }}
{{- $enforced := and $mesh.istio.authorizationPolicy.enabled (not $mesh.istio.authorizationPolicy.dryRun) }}
{{- if .Values.callers.trust }}trust-{{ .Values.callers.trust }}
{{- else if and $mesh.callers (not .Values.callers.list) }}
{{- if and (eq $mesh.type "istio-sidecar") $enforced }}trust-envoy
{{- else if and (eq $mesh.type "istio-ambient") $enforced }}trust-network
{{- else if eq $mesh.type "linkerd" }}trust-linkerd
{{- end }}
{{- end }}
{{- end }}

{{/* Whether several pods may run at once. */}}
{{- define "sunmi-trade.replicated" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) }}true{{ end }}
{{- end }}

{{/* Whether reflection is on: if nobody says, where no money can move. */}}
{{- define "sunmi-trade.reflection" -}}
{{- if kindIs "bool" .Values.server.reflection }}{{ if .Values.server.reflection }}true{{ end }}
{{- else if not (include "sunmi-trade.money" .) }}true
{{- end }}
{{- end }}

{{/* The seconds that a preStop hook sleeps, which the grace period has to hold, too. */}}
{{- define "sunmi-trade.preStop" -}}
{{- dig "preStop" "sleep" "seconds" 0 .Values.lifecycle | int }}
{{- end }}

{{/* The seconds that stopping takes: the server's delay and drain, what comes after, and preStop. */}}
{{- define "sunmi-trade.stopping" -}}
{{- $shutdown := .Values.config.shutdown }}
{{- $delay := include "sunmi-trade.milliseconds" $shutdown.delay | int64 }}
{{- $drain := include "sunmi-trade.milliseconds" $shutdown.drain | int64 }}
{{- add (div (add $delay $drain 999) 1000) 5 (include "sunmi-trade.preStop" . | int64) }}
{{- end }}

{{- define "sunmi-trade.gracePeriod" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds }}
{{- include "sunmi-trade.stopping" . }}
{{- else }}
{{- .Values.terminationGracePeriodSeconds | int64 }}
{{- end }}
{{- end }}

{{/* The longest that a call may take at the server, in seconds, and some: what routes give it. */}}
{{- define "sunmi-trade.routeTimeout" -}}
{{- .Values.mesh.timeout | default (printf "%ds" (add (include "sunmi-trade.seconds" .Values.config.deadlines.max | int64) 5)) }}
{{- end }}

{{/* The address of Sunmi, as the server has it. Empty with the sandbox, which is inside. */}}
{{- define "sunmi-trade.baseUrl" -}}
{{- $sunmi := .Values.sunmi }}
{{- if eq $sunmi.environment "production" }}https://openapi.sunmi.com
{{- else if eq $sunmi.environment "test" }}http://test.openapi.sunmi.com
{{- else if eq $sunmi.environment "custom" }}{{ $sunmi.baseUrl }}
{{- end }}
{{- end }}

{{/* Host, port and scheme of a URL, as YAML. */}}
{{- define "sunmi-trade.endpoint" -}}
{{- $url := urlParse . }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
scheme: {{ $url.scheme }}
host: {{ $url.host | trimSuffix (printf ":%s" $port) | quote }}
port: {{ $port | default (eq $url.scheme "https" | ternary 443 80) }}
{{- end }}

{{/*
The host outside of the cluster that is called over HTTP, as YAML: the proxy if there is one, else
Sunmi. Nothing if it is in the cluster.
*/}}
{{- define "sunmi-trade.egress" -}}
{{- with .Values.sunmi.proxy | default (include "sunmi-trade.baseUrl" .) }}
{{- $endpoint := include "sunmi-trade.endpoint" . | fromYaml }}
{{- if and (contains "." $endpoint.host) (not (contains ".svc" $endpoint.host)) }}
{{- toYaml $endpoint }}
{{- end }}
{{- end }}
{{- end }}

{{/* The paths of RPCs, as a list in YAML; "*" is both services. */}}
{{- define "sunmi-trade.paths" -}}
{{- $trade := list "Query" "Refund" "SwipeQuery" }}
{{- range . }}
{{- if eq . "*" }}
- /sunmi.trade.v1.TradeService/*
- /sunmi.trade.v1.RefundLedgerService/*
{{- else }}
- /sunmi.trade.v1.{{ has . $trade | ternary "TradeService" "RefundLedgerService" }}/{{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The paths of RPCs that may be repeated by anybody at any time. */}}
{{- define "sunmi-trade.reads" -}}
{{- include "sunmi-trade.paths" (list "Query" "SwipeQuery" "GetRefund" "ListRefunds") }}
{{- end }}

{{/* The paths of services that are no business: health, and reflection while it is on. */}}
{{- define "sunmi-trade.asides" -}}
- /grpc.health.v1.Health/*
{{- if include "sunmi-trade.reflection" . }}
- /grpc.reflection.v1.ServerReflection/*
- /grpc.reflection.v1alpha.ServerReflection/*
{{- end }}
{{- end }}
