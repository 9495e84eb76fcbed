{{/*
Lists whose entries do not go together. The server would refuse them: at its next start, or, as it reads
them again by itself, by keeping the old ones in force.
*/}}
{{- define "sunmi-trade.validate.lists" -}}
{{- $sunmi := .Values.sunmi }}
{{- $appIds := list }}
{{- range $at, $it := $sunmi.credentials }}
{{- if has .appId $appIds }}
sunmi.credentials[{{ $at }}] has the appId {{ .appId }}, which an entry before it has: the server would not take the list. Name each once; both keys of a rotation stand in one Secret's key.
{{- end }}
{{- $appIds = append $appIds .appId }}
{{- end }}
{{- $known := include "sunmi-trade.appIds.known" . }}
{{- if and $known $sunmi.defaultAppId (not (has $sunmi.defaultAppId $appIds)) }}
sunmi.defaultAppId is {{ $sunmi.defaultAppId }}, which sunmi.credentials do not have: the server would not start. It is one of {{ join ", " $appIds }}.
{{- end }}
{{- $names := list }}
{{- $seen := dict }}
{{- range $at, $it := .Values.callers.list }}
{{- $where := printf "callers.list[%d] (%s)" $at .name }}
{{- if has .name $names }}
{{ $where }} has the name of an entry before it: the server would not take the list. A caller may have several tokens, each in a line of its key, and several uris and dnsNames.
{{- end }}
{{- $names = append $names .name }}
{{- $marks := list }}
{{- with .tokensKey }}{{ $marks = append $marks (printf "the tokensKey %s of Secret %s" . (default $.Values.callers.existingSecret $it.existingSecret)) }}{{ end }}
{{- range .uris }}{{ $marks = append $marks (printf "the uri %s" .) }}{{ end }}
{{- range .dnsNames }}{{ $marks = append $marks (printf "the dnsName %s" (lower .)) }}{{ end }}
{{- range uniq $marks }}
{{- if hasKey $seen . }}
{{ $where }} has {{ . }}, as {{ get $seen . }} has: nothing would tell them apart, and the server would not take the list. Give each caller its own.
{{- end }}
{{- $_ := set $seen . (printf "callers.list[%d]" $at) }}
{{- end }}
{{- if $known }}
{{- range .appIds }}
{{- if not (has . $appIds) }}
{{ $where }} has {{ . }} in its appIds, which sunmi.credentials do not have: the server would not take the list. It is one of {{ join ", " $appIds }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether all app_ids are known here: the sandbox brings its own, and the environment may have one. */}}
{{- define "sunmi-trade.appIds.known" -}}
{{- $env := list }}
{{- range .Values.extraEnv }}{{ $env = append $env .name }}{{ end }}
{{- if and (ne .Values.sunmi.environment "sandbox") (not .Values.extraEnvFrom) (not (has "SUNMI_TRADE_APP_ID" $env)) }}true{{ end }}
{{- end }}

{{/*
Variables that would take the server away from what the chart has checked, each with the value to set
instead. In the sandbox, where no money moves, they are let through.
*/}}
{{- define "sunmi-trade.validate.environment" -}}
{{- $instead := dict
  "SUNMI_TRADE__REFUND__LEDGER" "ledger.type, and ledger.postgresql.existingSecret for its URL"
  "SUNMI_TRADE__LISTEN" "server.listenAddress and server.port"
  "SUNMI_TRADE__ADMIN_LISTEN" "server.listenAddress and server.adminPort"
  "SUNMI_TRADE__UPSTREAM__MONEY" "sunmi.money"
  "SUNMI_TRADE__SHUTDOWN__DELAY" "config.shutdown.delay"
  "SUNMI_TRADE__SHUTDOWN__DRAIN" "config.shutdown.drain"
  "SUNMI_TRADE__SHUTDOWN__GRACE" "terminationGracePeriodSeconds" }}
{{- if ne .Values.sunmi.environment "sandbox" }}
{{- range $at, $it := .Values.extraEnv }}
{{- with get $instead (upper .name) }}
extraEnv[{{ $at }}] sets {{ $it.name }}, past what this chart checks and tells Kubernetes: the server would do otherwise. Set {{ . }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Names that Kubernetes would refuse, once half of the release is there. */}}
{{- define "sunmi-trade.validate.names" -}}
{{- $name := include "sunmi-trade.fullname" . }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) }}
The objects would be called {{ $name | quote }}, which Kubernetes does not take for a Service: small letters, digits and dashes, and a letter first. Set fullnameOverride.
{{- end }}
{{- $label := include "sunmi-trade.name" . }}
{{- if not (regexMatch "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$" $label) }}
nameOverride makes the label app.kubernetes.io/name {{ $label | quote }}, which Kubernetes does not take: letters, digits and dashes.
{{- end }}
{{- if eq (int .Values.server.port) (int .Values.server.adminPort) }}
server.port and server.adminPort are both {{ int .Values.server.port }}: the server would not start. Give each its own.
{{- end }}
{{- with .Values.autoscaling }}
{{- if .enabled }}
{{- if gt (int .minReplicas) (int .maxReplicas) }}
autoscaling.minReplicas is {{ int .minReplicas }}, above autoscaling.maxReplicas ({{ int .maxReplicas }}).
{{- end }}
{{- if not (or .targetCPUUtilizationPercentage .targetMemoryUtilizationPercentage .metrics) }}
autoscaling.enabled is true, and nothing says by what: set autoscaling.targetCPUUtilizationPercentage, or the one of memory, or autoscaling.metrics.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
