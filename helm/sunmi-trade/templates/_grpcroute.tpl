{{/* What a GRPCRoute matches of a path such as /package.Service/Method, or all of a service's with *. */}}
{{- define "sunmi-trade.grpcMethod" -}}
{{- $parts := splitList "/" . }}
method:
  type: Exact
  service: {{ index $parts 1 }}
  {{- if ne (index $parts 2) "*" }}
  method: {{ index $parts 2 }}
  {{- end }}
{{- end }}

{{/* Where a GRPCRoute leads, with what the API server would fill in. */}}
{{- define "sunmi-trade.grpcBackend" -}}
backendRefs:
  - group: ""
    kind: Service
    name: {{ include "sunmi-trade.fullname" . }}
    port: {{ .Values.service.port }}
    weight: 1
{{- end }}

{{/* Health and reflection, as far as the route has them. */}}
{{- define "sunmi-trade.grpcRoute.asides" -}}
{{- range include "sunmi-trade.asides" . | fromYamlArray }}
{{- if or (and $.Values.grpcRoute.health (contains "health" .)) (and $.Values.grpcRoute.reflection (contains "reflection" .)) }}
- {{ . }}
{{- end }}
{{- end }}
{{- end }}
