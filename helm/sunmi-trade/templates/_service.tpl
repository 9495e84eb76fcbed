{{/* The port of calls: the mesh reads gRPC where the name and the protocol say so. */}}
{{- define "sunmi-trade.service.port" -}}
name: {{ .Values.tls.enabled | ternary "tls-grpc" "grpc" }}
port: {{ .Values.service.port }}
targetPort: grpc
protocol: TCP
appProtocol: {{ .Values.service.appProtocol | default (.Values.tls.enabled | ternary "tls" "grpc") }}
{{- end }}

{{- define "sunmi-trade.service.families" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
