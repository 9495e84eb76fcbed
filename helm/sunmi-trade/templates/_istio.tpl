{{/* Whether calls pass a proxy of Istio's that reads them: a sidecar, or a waypoint. */}}
{{- define "sunmi-trade.istio.reads" -}}
{{- $mesh := .Values.mesh }}
{{- if or (eq $mesh.type "istio-sidecar") (and (eq $mesh.type "istio-ambient") $mesh.istio.waypoint.name) }}true{{ end }}
{{- end }}

{{/* Where a route leads, and that nothing is tried again there. Without more it has no timeout. */}}
{{- define "sunmi-trade.istio.once" -}}
{{- include "sunmi-trade.istio.destination" . }}
retries:
  attempts: 0
{{- end }}

{{- define "sunmi-trade.istio.destination" -}}
route:
  - destination:
      host: {{ include "sunmi-trade.fullname" . }}
      port:
        number: {{ .Values.service.port }}
{{- end }}

{{/* An identity as Istio writes it: (list ROOT NAMESPACE SERVICEACCOUNT). */}}
{{- define "sunmi-trade.istio.principal" -}}
{{- $root := index . 0 }}
{{- printf "%s/ns/%s/sa/%s" $root.Values.mesh.istio.trustDomain (index . 1 | default $root.Release.Namespace) (index . 2) }}
{{- end }}

{{/* The identities of all callers, as a list in YAML. */}}
{{- define "sunmi-trade.istio.principals" -}}
{{- range .Values.mesh.callers }}
- {{ include "sunmi-trade.istio.principal" (list $ .namespace .serviceAccount) | quote }}
{{- end }}
{{- end }}

{{/* What callers may do on a port, by method: a rule each, and one for what is no business. */}}
{{- define "sunmi-trade.istio.rulesByMethod" -}}
{{- $root := index . 0 }}
{{- $port := index . 1 | toString | quote }}
{{- range $root.Values.mesh.callers }}
- from:
    - source:
        principals:
          - {{ include "sunmi-trade.istio.principal" (list $root .namespace .serviceAccount) | quote }}
  to:
    - operation:
        ports: [{{ $port }}]
        methods: ["POST"]
        paths:
          {{- include "sunmi-trade.paths" .rpcs | trim | nindent 10 }}
{{- end }}
- from:
    - source:
        principals:
          {{- include "sunmi-trade.istio.principals" $root | trim | nindent 10 }}
  to:
    - operation:
        ports: [{{ $port }}]
        methods: ["POST"]
        paths:
          {{- include "sunmi-trade.asides" $root | trim | nindent 10 }}
{{- end }}

{{/* What anybody may: the metrics, which Prometheus asks for from outside of the mesh. */}}
{{- define "sunmi-trade.istio.ruleOfMetrics" -}}
- to:
    - operation:
        ports: [{{ .Values.server.adminPort | quote }}]
        {{- if eq .Values.mesh.type "istio-sidecar" }}
        methods: ["GET"]
        paths: ["/metrics", "/livez", "/readyz", "/startupz"]
        {{- end }}
{{- end }}

{{- define "sunmi-trade.istio.policyAnnotations" -}}
{{- if .Values.mesh.istio.authorizationPolicy.dryRun }}
istio.io/dry-run: "true"
{{- end }}
{{- end }}
