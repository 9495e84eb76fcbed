{{/* A port of the pod as Linkerd serves it: (dict "root" ROOT "name" NAME "port" PORT "protocol" PROTOCOL "access" ACCESS). */}}
{{- define "sunmi-trade.linkerd.server" -}}
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata:
  {{- include "sunmi-trade.metadata" (dict "root" .root "name" .name) | trim | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "sunmi-trade.selectorLabels" .root | nindent 6 }}
  port: {{ .port }}
  proxyProtocol: {{ .protocol }}
  accessPolicy: {{ .access }}
{{- end }}

{{/*
Who may call what, as YAML: a name in lower case, the paths, and the callers. One for each method
that somebody may call, and one for what is no business.
*/}}
{{- define "sunmi-trade.linkerd.grants" -}}
{{- range $rpc := list "Query" "Refund" "SwipeQuery" "GetRefund" "ListRefunds" "WatchRefunds" }}
{{- $callers := list }}
{{- range $.Values.mesh.callers }}
{{- if or (has $rpc .rpcs) (has "*" .rpcs) }}{{ $callers = append $callers . }}{{ end }}
{{- end }}
{{- with $callers }}
- name: {{ lower $rpc }}
  paths:
    {{- include "sunmi-trade.paths" (list $rpc) | trim | nindent 4 }}
  callers:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
- name: asides
  paths:
    {{- include "sunmi-trade.asides" . | trim | nindent 4 }}
  callers:
    {{- toYaml .Values.mesh.callers | nindent 4 }}
{{- end }}

{{/* A route of callers on the Service: (dict "root" ROOT "name" NAME "paths" LIST "annotations" MAP). */}}
{{- define "sunmi-trade.linkerd.clientRoute" -}}
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata:
  {{- include "sunmi-trade.metadata" (dict "root" .root "name" .name "annotations" .annotations) | trim | nindent 2 }}
spec:
  parentRefs:
    - group: core
      kind: Service
      name: {{ include "sunmi-trade.fullname" .root }}
      port: {{ .root.Values.service.port }}
  rules:
    - {{ with .paths }}matches:
        {{- range . }}
        - {{ include "sunmi-trade.grpcMethod" . | nindent 10 | trim }}
        {{- end }}
      {{ end }}{{ include "sunmi-trade.grpcBackend" .root | trim | nindent 6 | trim }}
{{- end }}
