{{/* How a monitor scrapes, whichever it is. */}}
{{- define "sunmi-trade.scrape" -}}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Which series are of this release: as the monitors label them, or as the values say. */}}
{{- define "sunmi-trade.series" -}}
{{- .Values.prometheusRule.selector | default (printf "namespace=%q,job=%q" .Release.Namespace .Release.Name) }}
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
