{{/*
The server's configuration file, in TOML. It has two parts: what is in force with a restart, and the
tables of credentials and callers, which the server reads again by itself.
*/}}

{{/* A value in TOML. Numbers of values are floats to Helm, whole or not. */}}
{{- define "sunmi-trade.toml.value" -}}
{{- if kindIs "string" . }}{{ toRawJson . }}
{{- else if kindIs "bool" . }}{{ . }}
{{- else if kindIs "slice" . }}
{{- $items := list }}
{{- range . }}{{ $items = append $items (include "sunmi-trade.toml.value" .) }}{{ end -}}
[{{ join ", " $items }}]
{{- else if eq (float64 .) (floor .) }}{{ int64 . }}
{{- else }}{{ float64 . }}
{{- end }}
{{- end }}

{{/* The settings of a table that are no tables themselves; what is null or an empty text is not set. */}}
{{- define "sunmi-trade.toml.settings" -}}
{{- range $key := keys . | sortAlpha }}
{{- $value := get $ $key }}
{{- $tables := and (kindIs "slice" $value) $value (kindIs "map" (first (default (list "") $value))) }}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value) (eq (toString $value) "") $tables) }}
{{ $key }} = {{ include "sunmi-trade.toml.value" $value }}
{{- end }}
{{- end }}
{{- end }}

{{/* Tables of an array: (dict "name" NAME "tables" LIST). */}}
{{- define "sunmi-trade.toml.tables" -}}
{{- range .tables }}

[[{{ $.name }}]]
{{- include "sunmi-trade.toml.settings" . }}
{{- end }}
{{- end }}

{{/* Where a key of a Secret is mounted: (list SECRET KEY). */}}
{{- define "sunmi-trade.secretPath" -}}
/run/secrets/sunmi-trade/{{ index . 0 }}/{{ index . 1 }}
{{- end }}

{{/* The settings that follow from other values than .Values.config, as YAML. */}}
{{- define "sunmi-trade.config.derived" -}}
{{- $server := .Values.server }}
{{- $sunmi := .Values.sunmi }}
{{- $ledger := include "sunmi-trade.ledger" . }}
listen: {{ printf "%s:%d" $server.listenAddress (int $server.port) | quote }}
admin_listen: {{ printf "%s:%d" $server.listenAddress (int $server.adminPort) | quote }}
reflection: {{ include "sunmi-trade.reflection" . | eq "true" }}
default_app_id: {{ $sunmi.defaultAppId | quote }}
callers: {{ include "sunmi-trade.trust" . | quote }}
admin:
  page: {{ $server.adminPage }}
upstream:
  environment: {{ ne $sunmi.environment "sandbox" | ternary $sunmi.environment "" | quote }}
  base_url: {{ $sunmi.baseUrl | quote }}
  name: {{ $sunmi.name | quote }}
  money: {{ $sunmi.money | quote }}
  proxy: {{ $sunmi.proxy | quote }}
refund:
  ledger: {{ get (dict "memory" "memory" "sqlite" "sqlite:///var/lib/sunmi-trade/ledger.db") $ledger | quote }}
  create_ledger: {{ or (eq $ledger "memory") .Values.ledger.create }}
shutdown:
  grace: {{ printf "%ds" (sub (include "sunmi-trade.gracePeriod" . | int64) (include "sunmi-trade.preStop" . | int64)) }}
{{- with .Values.tls }}
{{- if .enabled }}
tls:
  certificate_file: {{ include "sunmi-trade.secretPath" (list .existingSecret .certificateKey) }}
  key_file: {{ include "sunmi-trade.secretPath" (list .existingSecret .privateKeyKey) }}
  {{- with .clientCA }}
  {{- if .enabled }}
  client_ca_file: {{ include "sunmi-trade.secretPath" (list (default $.Values.tls.existingSecret .existingSecret) .key) }}
  client_certificate: {{ .certificates }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The part that a restart puts in force. */}}
{{- define "sunmi-trade.config.static" -}}
{{- $derived := include "sunmi-trade.config.derived" . | fromYaml }}
{{- $config := mergeOverwrite (deepCopy .Values.config) $derived }}
{{- include "sunmi-trade.toml.settings" $config }}
{{- range $section := keys $config | sortAlpha }}
{{- with get $config $section }}
{{- if kindIs "map" . }}
{{- with include "sunmi-trade.toml.settings" . | trim }}

[{{ $section }}]
{{ . }}
{{- end }}
{{- range $key := keys . | sortAlpha }}
{{- $value := get (get $config $section) $key }}
{{- if and (kindIs "slice" $value) $value }}
{{- if kindIs "map" (first $value) }}
{{- include "sunmi-trade.toml.tables" (dict "name" (printf "%s.%s" $section $key) "tables" $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The part that the server reads again by itself. */}}
{{- define "sunmi-trade.config.reloaded" -}}
{{- $credentials := list }}
{{- range .Values.sunmi.credentials }}
{{- $credential := dict "app_id" .appId }}
{{- if .appKey }}
{{- $_ := set $credential "app_key" .appKey }}
{{- else }}
{{- $secret := default $.Values.sunmi.existingSecret .existingSecret }}
{{- $_ := set $credential "app_key_file" (include "sunmi-trade.secretPath" (list $secret (default "app-key" .key))) }}
{{- end }}
{{- $credentials = append $credentials $credential }}
{{- end }}
{{- $callers := list }}
{{- range .Values.callers.list }}
{{- $caller := dict "name" .name "rpcs" .rpcs "uris" .uris "dns_names" .dnsNames "app_ids" .appIds "max_refund_minor" .maxRefundMinor "max_refund_per_day_minor" .maxRefundPerDayMinor "own_refunds_only" .ownRefundsOnly "max_calls" .maxCalls }}
{{- if .tokensKey }}
{{- $secret := default $.Values.callers.existingSecret .existingSecret }}
{{- $_ := set $caller "token_file" (include "sunmi-trade.secretPath" (list $secret .tokensKey)) }}
{{- end }}
{{- $callers = append $callers $caller }}
{{- end }}
{{- include "sunmi-trade.toml.tables" (dict "name" "credentials" "tables" $credentials) }}
{{- include "sunmi-trade.toml.tables" (dict "name" "callers" "tables" $callers) }}
{{- end }}
