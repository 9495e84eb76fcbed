{{/* Parts of the pod that need more than a line. */}}

{{/* The Secrets that are mounted, each name once, as a list in YAML. */}}
{{- define "sunmi-trade.mountedSecrets" -}}
{{- $names := list }}
{{- range .Values.sunmi.credentials }}
{{- if not .appKey }}{{ $names = append $names (default $.Values.sunmi.existingSecret .existingSecret) }}{{ end }}
{{- end }}
{{- range .Values.callers.list }}
{{- if .tokensKey }}{{ $names = append $names (default $.Values.callers.existingSecret .existingSecret) }}{{ end }}
{{- end }}
{{- with .Values.tls }}
{{- if .enabled }}
{{- $names = append $names .existingSecret }}
{{- if .clientCA.enabled }}{{ $names = append $names .clientCA.existingSecret }}{{ end }}
{{- end }}
{{- end }}
{{- if eq (include "sunmi-trade.ledger" .) "postgresql" }}
{{- $names = append $names .Values.ledger.postgresql.ca.existingSecret }}
{{- end }}
{{- range compact $names | uniq | sortAlpha }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* A Secret's name as a volume's, which may be no longer than 63 characters and has no dots. */}}
{{- define "sunmi-trade.secretVolume" -}}
secret-{{ sha256sum . | trunc 10 }}
{{- end }}

{{/* The name of the volume claim of the ledger. */}}
{{- define "sunmi-trade.claimName" -}}
{{- .Values.ledger.persistence.existingClaim | default (include "sunmi-trade.suffixed" (list . "ledger")) }}
{{- end }}

{{/* The environment: ours, but for what extraEnv names, and extraEnv, of equal names the last. */}}
{{- define "sunmi-trade.env" -}}
{{- $env := list }}
{{- if eq (include "sunmi-trade.ledger" .) "postgresql" }}
{{- with .Values.ledger.postgresql }}
{{- $env = append $env (dict "name" "SUNMI_TRADE__REFUND__LEDGER" "valueFrom" (dict "secretKeyRef" (dict "name" .existingSecret "key" .existingSecretKey))) }}
{{- end }}
{{- end }}
{{- if dig "tracing" "endpoint" "" .Values.config }}
{{- $env = append $env (dict "name" "POD_NAME" "valueFrom" (dict "fieldRef" (dict "apiVersion" "v1" "fieldPath" "metadata.name"))) }}
{{- $env = append $env (dict "name" "OTEL_RESOURCE_ATTRIBUTES" "value" (printf "k8s.namespace.name=%s,k8s.deployment.name=%s,k8s.pod.name=$(POD_NAME)" .Release.Namespace (include "sunmi-trade.fullname" .))) }}
{{- end }}
{{- $order := list }}
{{- $byName := dict }}
{{- range concat $env .Values.extraEnv }}
{{- $order = append $order .name }}
{{- $_ := set $byName .name . }}
{{- end }}
{{- range uniq $order }}
- {{ get $byName . | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}

{{/* What a probe asks: (list ROOT PATH). */}}
{{- define "sunmi-trade.probe" -}}
{{- $root := index . 0 }}
{{- if eq $root.Values.probes.type "grpc" -}}
grpc:
  port: {{ $root.Values.server.port }}
  service: ""
{{- else -}}
httpGet:
  path: {{ index . 1 }}
  port: http-metrics
  scheme: HTTP
{{- end }}
{{- end }}

{{/* Spread as the values say, with the selector filled in, and over pods of one rollout alone. */}}
{{- define "sunmi-trade.topologySpreadConstraints" -}}
{{- $selector := dict "matchLabels" (include "sunmi-trade.selectorLabels" . | fromYaml) }}
{{- range .Values.topologySpreadConstraints }}
- {{ merge (dict) . (dict "labelSelector" $selector "matchLabelKeys" (list "pod-template-hash")) | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}

{{/* What the mesh wants to be told by labels of the pod. */}}
{{- define "sunmi-trade.mesh.podLabels" -}}
{{- if .Values.mesh.inject }}
{{- if eq .Values.mesh.type "istio-sidecar" }}
sidecar.istio.io/inject: "true"
{{- else if eq .Values.mesh.type "istio-ambient" }}
istio.io/dataplane-mode: ambient
{{- end }}
{{- end }}
{{- end }}

{{/* And by annotations: to be there before the server starts, and until it has stopped. */}}
{{- define "sunmi-trade.mesh.podAnnotations" -}}
{{- $grace := include "sunmi-trade.gracePeriod" . }}
{{- if eq .Values.mesh.type "istio-sidecar" }}
proxy.istio.io/config: |
  holdApplicationUntilProxyStarts: true
  terminationDrainDuration: {{ $grace }}s
{{- else if eq .Values.mesh.type "linkerd" }}
{{- if .Values.mesh.inject }}
linkerd.io/inject: enabled
{{- end }}
config.linkerd.io/proxy-await: enabled
config.linkerd.io/shutdown-grace-period: {{ $grace }}s
config.alpha.linkerd.io/proxy-wait-before-exit-seconds: {{ sub ($grace | int64) 5 | quote }}
{{- end }}
{{- end }}

{{/* All labels and annotations that pods are given by values and the mesh; the later win. */}}
{{- define "sunmi-trade.pod.labels" -}}
{{- mergeOverwrite (deepCopy .Values.commonLabels) (include "sunmi-trade.mesh.podLabels" . | fromYaml) (deepCopy .Values.podLabels) | toYaml }}
{{- end }}

{{- define "sunmi-trade.pod.annotations" -}}
{{- mergeOverwrite (deepCopy .Values.commonAnnotations) (include "sunmi-trade.mesh.podAnnotations" . | fromYaml) (deepCopy .Values.podAnnotations) | toYaml }}
{{- end }}
