{{/* The chart's name, which the label app.kubernetes.io/name has. */}}
{{- define "sunmi-trade.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimAll "-" }}
{{- end }}

{{/* What objects are called: the release's name, and the chart's unless it is in there. */}}
{{- define "sunmi-trade.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The full name with a suffix, of 63 characters at most: (list ROOT SUFFIX). */}}
{{- define "sunmi-trade.suffixed" -}}
{{- $suffix := index . 1 }}
{{- $room := sub 62 (len $suffix) | int }}
{{- printf "%s-%s" (include "sunmi-trade.fullname" (index . 0) | trunc $room | trimSuffix "-") $suffix }}
{{- end }}

{{/* What pods are selected by: never changes. */}}
{{- define "sunmi-trade.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sunmi-trade.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The server's version, as a label may be. */}}
{{- define "sunmi-trade.version" -}}
{{ .Values.image.tag | default .Chart.AppVersion | replace "+" "_" | trunc 63 | trimAll "-_." | quote }}
{{- end }}

{{- define "sunmi-trade.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "sunmi-trade.selectorLabels" . }}
app.kubernetes.io/version: {{ include "sunmi-trade.version" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ include "sunmi-trade.name" . }}
{{- end }}

{{/* Those of pods: without the chart's version, which would roll out what has not changed. */}}
{{- define "sunmi-trade.podLabels" -}}
{{ include "sunmi-trade.selectorLabels" . }}
app.kubernetes.io/version: {{ include "sunmi-trade.version" . }}
{{- end }}

{{/*
The metadata of an object: (dict "root" ROOT "name" NAME "labels" MAP "annotations" MAP). The maps
win over those of all objects, and our own labels over theirs.
*/}}
{{- define "sunmi-trade.metadata" -}}
{{- $root := .root }}
{{- with .name }}
name: {{ . }}
{{- end }}
labels:
  {{- $own := include (default "sunmi-trade.labels" .ownLabels) $root | fromYaml }}
  {{- toYaml (mergeOverwrite (dict) (deepCopy $root.Values.commonLabels) (default dict .labels) $own) | nindent 2 }}
{{- with mergeOverwrite (dict) (deepCopy $root.Values.commonAnnotations) (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "sunmi-trade.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.image" -}}
{{- $image := .Values.image }}
{{- $registry := default $image.registry (.Values.global).imageRegistry }}
{{- with $registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "sunmi-trade.imagePullSecrets" -}}
{{- $secrets := list }}
{{- range concat (default list (.Values.global).imagePullSecrets) .Values.imagePullSecrets }}
{{- $secrets = append $secrets (kindIs "map" . | ternary . (dict "name" .)) }}
{{- end }}
{{- with uniq $secrets }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* A duration such as "1m 10s" in milliseconds. */}}
{{- define "sunmi-trade.milliseconds" -}}
{{- $factors := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 }}
{{- $sum := 0 }}
{{- range regexFindAll "[0-9]+ *[a-z]+" . -1 }}
{{- $factor := get $factors (regexFind "[a-z]+" .) }}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | int64) $factor) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* A duration in seconds, rounded up. */}}
{{- define "sunmi-trade.seconds" -}}
{{- div (add (include "sunmi-trade.milliseconds" . | int64) 999) 1000 }}
{{- end }}
