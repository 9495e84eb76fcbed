{{/*
How a monitor scrapes, whichever it is: (list ROOT MONITOR). The job is the full name: two instances in
one parent chart are of one release.
*/}}
{{- define "sunmi-trade.scrape" -}}
{{- $root := index . 0 }}
{{- with index . 1 }}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  - action: replace
    targetLabel: job
    replacement: {{ include "sunmi-trade.fullname" $root }}
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Which series are of this release: as the monitors label them, or as the values say. */}}
{{- define "sunmi-trade.series" -}}
{{- .Values.prometheusRule.selector | default (printf "namespace=%q,job=%q" .Release.Namespace (include "sunmi-trade.fullname" .)) }}
{{- end }}

{{/* An alert: (dict "root" ROOT "name" NAME "alert" what files/alerts.yaml says "set" what the values say). */}}
{{- define "sunmi-trade.alert" -}}
alert: {{ .name }}
expr: {{ printf "%s %s %v" (.alert.expr | replace "SERIES" (include "sunmi-trade.series" .root) | trim) .alert.fires .set.threshold | quote }}
for: {{ .set.for }}
labels:
  {{- toYaml (merge (dict "severity" .set.severity) (deepCopy .set.labels) .root.Values.prometheusRule.alertLabels) | nindent 2 }}
annotations:
  summary: {{ .alert.summary | quote }}
  description: {{ .alert.description | trim | quote }}
  {{- with .root.Values.prometheusRule.runbookUrl }}
  runbook_url: {{ printf "%s#%s" . (lower $.name) | quote }}
  {{- end }}
{{- end }}
