{{/* A rule of ports and peers: (dict "ports" LIST "protocols" LIST "to" LIST). */}}
{{- define "sunmi-trade.networkPolicy.rule" -}}
- ports:
    {{- range $port := .ports }}
    {{- range default (list "TCP") $.protocols }}
    - port: {{ int $port }}
      protocol: {{ . }}
    {{- end }}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Where the pod may go: names, Sunmi or the proxy to it, the database, the collector, the mesh. */}}
{{- define "sunmi-trade.networkPolicy.egress" -}}
{{- $egress := .Values.networkPolicy.egress }}
{{- include "sunmi-trade.networkPolicy.rule" (dict "ports" (list 53) "protocols" (list "UDP" "TCP") "to" $egress.dnsTo) }}
{{- with .Values.sunmi.proxy | default (include "sunmi-trade.baseUrl" .) }}
{{- $endpoint := include "sunmi-trade.endpoint" . | fromYaml }}
{{ include "sunmi-trade.networkPolicy.rule" (dict "ports" (list $endpoint.port) "to" $egress.sunmiTo) }}
{{- end }}
{{- if eq (include "sunmi-trade.ledger" .) "postgresql" }}
{{ include "sunmi-trade.networkPolicy.rule" (dict "ports" (list $egress.postgresqlPort) "to" $egress.postgresqlTo) }}
{{- end }}
{{- with dig "tracing" "endpoint" "" .Values.config }}
{{- $endpoint := include "sunmi-trade.endpoint" . | fromYaml }}
{{ include "sunmi-trade.networkPolicy.rule" (dict "ports" (list $endpoint.port) "to" $egress.tracingTo) }}
{{- end }}
{{- with get (dict "istio-sidecar" (list 15010 15012) "istio-ambient" (list 15008) "linkerd" (list 4143 8080 8086 8090)) .Values.mesh.type }}
{{ include "sunmi-trade.networkPolicy.rule" (dict "ports" . "to" $egress.meshTo) }}
{{- end }}
{{- end }}
