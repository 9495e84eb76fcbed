{{/* What a mesh could not hold to, and ways around it. */}}

{{- define "sunmi-trade.validate.mesh" -}}
{{- $mesh := .Values.mesh }}
{{- $known := list "none" "istio-sidecar" "istio-ambient" "linkerd" }}
{{- if not (has $mesh.type $known) }}
mesh.type is {{ $mesh.type | quote }}, which this chart does not know: it must be one of {{ join ", " $known }}. With another one the default retries of its proxies could repeat refunds.
{{- end }}
{{- if and (eq $mesh.type "none") $mesh.callers }}
mesh.callers is set but mesh.type is none: nobody would hold callers to it. Set mesh.type, or list the callers in callers.list.
{{- end }}
{{- if eq $mesh.type "istio-ambient" }}
{{- range $at, $it := $mesh.callers }}
{{- if and (ne (join " " .rpcs) "*") (not $mesh.istio.waypoint.name) }}
mesh.callers[{{ $at }}].rpcs names methods, which ambient without a waypoint cannot tell apart: {{ .serviceAccount }} could refund, too. Set mesh.istio.waypoint.name, or rpcs=["*"] if it may do all.
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq .Values.callers.trust "envoy") (eq $mesh.type "linkerd") }}
callers.trust is envoy but mesh.type is linkerd: Linkerd passes x-forwarded-client-cert on as callers wrote it. Set callers.trust=linkerd.
{{- end }}
{{- if and (eq .Values.callers.trust "linkerd") (hasPrefix "istio-" $mesh.type) }}
callers.trust is linkerd but mesh.type is {{ $mesh.type }}: Istio passes l5d-client-id on as callers wrote it. Set callers.trust=envoy, or network in ambient without a waypoint.
{{- end }}
{{- if and (eq .Values.callers.trust "envoy") (eq $mesh.type "istio-ambient") (not $mesh.istio.waypoint.name) }}
callers.trust is envoy but ambient without a waypoint sets no x-forwarded-client-cert: callers could write it themselves. Set callers.trust=network, or mesh.istio.waypoint.name.
{{- end }}
{{- end }}

{{/*
Labels and annotations that take the pod, or its port for calls, out of the mesh whose word on callers
is believed.
*/}}
{{- define "sunmi-trade.validate.bypass" -}}
{{- $mesh := .Values.mesh }}
{{- $known := has $mesh.type (list "istio-sidecar" "istio-ambient" "linkerd") }}
{{- if and $known (or $mesh.callers (has .Values.callers.trust (list "envoy" "linkerd"))) }}
{{- range include (printf "sunmi-trade.bypass.%s" $mesh.type) . | trim | splitList "\n" | compact }}
{{ . | trim }} takes calls past the mesh (mesh.type is {{ $mesh.type }}), on whose word the server lets callers refund: whoever reaches the pod could. Remove it, or list the callers in callers.list, and neither mesh.callers nor callers.trust.
{{- end }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.bypass.istio-sidecar" -}}
{{- $labels := include "sunmi-trade.pod.labels" . | fromYaml }}
{{- $annotations := include "sunmi-trade.pod.annotations" . | fromYaml }}
{{- $key := "sidecar.istio.io/inject" }}
{{- if ne (get $labels $key | default "true" | toString) "true" }}
podLabels: {{ $key }}={{ get $labels $key }}
{{- end }}
{{- if ne (get $annotations $key | default "true" | toString) "true" }}
podAnnotations: {{ $key }}={{ get $annotations $key }}
{{- end }}
{{- $key = "traffic.sidecar.istio.io/excludeInboundPorts" }}
{{- if include "sunmi-trade.bypass.has" (list (get $annotations $key) .Values.server.port) }}
podAnnotations: {{ $key }}={{ get $annotations $key }}
{{- end }}
{{- $key = "traffic.sidecar.istio.io/includeInboundPorts" }}
{{- if and (hasKey $annotations $key) (ne (get $annotations $key) "*") (not (include "sunmi-trade.bypass.has" (list (get $annotations $key) .Values.server.port))) }}
podAnnotations: {{ $key }}={{ get $annotations $key }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.bypass.istio-ambient" -}}
{{- $labels := include "sunmi-trade.pod.labels" . | fromYaml }}
{{- $annotations := include "sunmi-trade.pod.annotations" . | fromYaml }}
{{- $key := "istio.io/dataplane-mode" }}
{{- if ne (get $labels $key | default "ambient" | toString) "ambient" }}
podLabels: {{ $key }}={{ get $labels $key }}
{{- end }}
{{- $key = "ambient.istio.io/bypass-inbound-capture" }}
{{- if eq (get $annotations $key | toString) "true" }}
podAnnotations: {{ $key }}=true
{{- end }}
{{- end }}

{{- define "sunmi-trade.bypass.linkerd" -}}
{{- $annotations := include "sunmi-trade.pod.annotations" . | fromYaml }}
{{- $key := "linkerd.io/inject" }}
{{- if not (has (get $annotations $key | default "enabled" | toString) (list "enabled" "ingress")) }}
podAnnotations: {{ $key }}={{ get $annotations $key }}
{{- end }}
{{- $key = "config.linkerd.io/skip-inbound-ports" }}
{{- if include "sunmi-trade.bypass.has" (list (get $annotations $key) .Values.server.port) }}
podAnnotations: {{ $key }}={{ get $annotations $key }}
{{- end }}
{{- end }}

{{/* Whether a port is among those of a text such as "80,9000-9100": (list TEXT PORT). */}}
{{- define "sunmi-trade.bypass.has" -}}
{{- $port := index . 1 | int }}
{{- range index . 0 | toString | splitList "," }}
{{- if eq (trim .) "*" }}true{{ end }}
{{- with regexFindAll "[0-9]+" . -1 }}
{{- if and (ge $port (first . | int)) (le $port (last . | int)) }}true{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Ways by which calls come from outside of the cluster, in words; nothing if there is none. */}}
{{- define "sunmi-trade.entrances" -}}
{{- $ways := list }}
{{- if has .Values.service.type (list "LoadBalancer" "NodePort") }}{{ $ways = append $ways (printf "service.type=%s" .Values.service.type) }}{{ end }}
{{- if .Values.ingress.enabled }}{{ $ways = append $ways "ingress.enabled" }}{{ end }}
{{- if .Values.grpcRoute.enabled }}{{ $ways = append $ways "grpcRoute.enabled" }}{{ end }}
{{- if and (include "sunmi-trade.istio.reads" .) .Values.mesh.istio.virtualService.enabled .Values.mesh.istio.virtualService.gateways }}{{ $ways = append $ways "mesh.istio.virtualService.gateways" }}{{ end }}
{{- join ", " $ways }}
{{- end }}

{{/*
The ways by which strangers could refund: the server believes the network, and neither the mesh nor
certificates say who may come.
*/}}
{{- define "sunmi-trade.public" -}}
{{- $mesh := .Values.mesh }}
{{- $held := and $mesh.callers (or (eq $mesh.type "linkerd") (and (hasPrefix "istio-" $mesh.type) $mesh.istio.authorizationPolicy.enabled (not $mesh.istio.authorizationPolicy.dryRun))) }}
{{- $certified := and .Values.tls.enabled .Values.tls.clientCA.enabled (eq .Values.tls.clientCA.certificates "required") }}
{{- if and .Values.callers.trust (include "sunmi-trade.money" .) (not $held) (not $certified) }}
{{- include "sunmi-trade.entrances" . }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.validate.public" -}}
{{- with include "sunmi-trade.public" . }}
{{- if not $.Values.callers.trustPublic }}
callers.trust is {{ $.Values.callers.trust }}, and calls come from outside of the cluster ({{ . }}): whoever reaches that may refund. List the callers in callers.list; or, if what stands before it lets only the right ones through, say so by callers.trustPublic=true.
{{- end }}
{{- end }}
{{- end }}
