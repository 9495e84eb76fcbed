{{/*
What would lose money, or could not start, is refused: all of it at once, and each with what to do.
*/}}
{{- define "sunmi-trade.validate" -}}
{{- $faults := list }}
{{- range list "replicas" "ledger" "credentials" "callers" "tls" "stopping" "deadlines" "lists" "mesh" "bypass" "public" "environment" "names" "other" }}
{{- $found := include (printf "sunmi-trade.validate.%s" .) $ | trim }}
{{- range splitList "\n" $found }}
{{- $faults = append $faults (trim .) }}
{{- end }}
{{- end }}
{{- with compact $faults }}
{{- fail (printf "\n\nsunmi-trade cannot be installed like this:\n  * %s\n" (join "\n  * " .)) }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.validate.replicas" -}}
{{- $ledger := include "sunmi-trade.ledger" . | default "not set" }}
{{- if and (include "sunmi-trade.replicated" .) (ne $ledger "postgresql") }}
{{- $what := .Values.autoscaling.enabled | ternary "autoscaling.enabled is true" (printf "replicaCount is %d" (int .Values.replicaCount)) }}
{{ $what }} but ledger.type is {{ $ledger }}: each pod would keep a ledger of its own, and a refund that is repeated at another pod would be sent again. Set ledger.type=postgresql, or replicaCount=1 and autoscaling.enabled=false.
{{- end }}
{{- end }}

{{- define "sunmi-trade.validate.ledger" -}}
{{- $ledger := include "sunmi-trade.ledger" . }}
{{- $money := include "sunmi-trade.money" . }}
{{- if not $ledger }}
ledger.type is not set, and money may move (sunmi.environment is {{ .Values.sunmi.environment }}): without a ledger that outlives the pod a refund could happen twice. Set ledger.type=postgresql, or ledger.type=sqlite for a single replica with a volume.
{{- else if and (eq $ledger "memory") $money }}
ledger.type is memory, and money may move (sunmi.environment is {{ .Values.sunmi.environment }}): a restart would forget which refunds were sent. Set ledger.type=postgresql or ledger.type=sqlite.
{{- end }}
{{- if and (eq $ledger "postgresql") (not .Values.ledger.postgresql.existingSecret) }}
ledger.type is postgresql but ledger.postgresql.existingSecret is not set: name the Secret that has the database's URL, under the key ledger.postgresql.existingSecretKey ({{ .Values.ledger.postgresql.existingSecretKey }}).
{{- end }}
{{- if eq $ledger "sqlite" }}
{{- with .Values.ledger.persistence }}
{{- if not (or .enabled .existingClaim) }}
ledger.type is sqlite but ledger.persistence.enabled is false: the ledger would be gone with the pod, and a refund could happen twice. Set ledger.persistence.enabled=true, or ledger.persistence.existingClaim, or ledger.type=postgresql.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.validate.credentials" -}}
{{- $sunmi := .Values.sunmi }}
{{- $sandbox := eq $sunmi.environment "sandbox" }}
{{- if and (not $sunmi.credentials) (not $sandbox) }}
sunmi.credentials is empty: nobody could sign a call to Sunmi. Put the app key into a Secret, name it in sunmi.existingSecret, and list its app_id, such as sunmi.credentials[0].appId=YOUR_APP_ID. To try it without an account, set sunmi.environment=sandbox.
{{- end }}
{{- range $at, $it := $sunmi.credentials }}
{{- if and .appKey (not $sandbox) }}
sunmi.credentials[{{ $at }}].appKey has a key in the values, where everybody who may read the release sees it. Put it into a Secret and name that in sunmi.existingSecret; keys in values are for sunmi.environment=sandbox alone.
{{- else if not (or .appKey .existingSecret $sunmi.existingSecret) }}
sunmi.credentials[{{ $at }}] has no Secret: set sunmi.existingSecret, or sunmi.credentials[{{ $at }}].existingSecret, to the Secret that has the key of app_id {{ .appId }}.
{{- end }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.validate.callers" -}}
{{- $callers := .Values.callers }}
{{- $byCertificate := and .Values.tls.enabled .Values.tls.clientCA.enabled }}
{{- $said := or (include "sunmi-trade.trust" .) $callers.list (and $byCertificate (eq .Values.tls.clientCA.certificates "required")) }}
{{- $meshless := and .Values.mesh.callers (eq .Values.mesh.type "none") }}
{{- if and (include "sunmi-trade.money" .) (not $said) (not $meshless) }}
Nobody said who may call, and money may move (sunmi.environment is {{ .Values.sunmi.environment }}): whoever reaches the pod could refund. List callers in callers.list, or in mesh.callers with mesh.type set, or demand client certificates (tls.clientCA), or, if the network itself lets only the right ones through, set callers.trust=network.{{ if .Values.mesh.callers }} mesh.callers alone does not say it while mesh.istio.authorizationPolicy is off or a dry run.{{ end }}
{{- end }}
{{- if and $callers.trust $callers.list }}
callers.trust and callers.list are both set: the server either believes the network or knows its callers itself. Remove one of them.
{{- end }}
{{- $retention := dig "refund" "retention" "400d" .Values.config | default "400d" }}
{{- range $at, $it := $callers.list }}
{{- if not (or .uris .dnsNames .tokensKey) }}
callers.list[{{ $at }}] ({{ .name }}) cannot be known by anything: set uris or dnsNames of its certificate, or tokensKey.
{{- end }}
{{- if and (or .uris .dnsNames) (not $byCertificate) }}
callers.list[{{ $at }}] ({{ .name }}) is known by its certificate, but none is asked for: set tls.enabled=true and tls.clientCA.enabled=true, or give it tokensKey.
{{- end }}
{{- if and .tokensKey (not (or .existingSecret $callers.existingSecret)) }}
callers.list[{{ $at }}] ({{ .name }}) has a tokensKey but no Secret: set callers.existingSecret, or existingSecret of this caller.
{{- end }}
{{- if .maxRefundPerDayMinor }}
{{- if gt (int64 .maxRefundMinor) (int64 .maxRefundPerDayMinor) }}
callers.list[{{ $at }}] ({{ .name }}) may refund more at once (maxRefundMinor {{ int64 .maxRefundMinor }}) than on one day (maxRefundPerDayMinor {{ int64 .maxRefundPerDayMinor }}): the server would not start.
{{- end }}
{{- if lt (include "sunmi-trade.milliseconds" $retention | int64) 172800000 }}
callers.list[{{ $at }}] ({{ .name }}) has maxRefundPerDayMinor, for which config.refund.retention ({{ $retention }}) has to be 2d at least: what is emptied cannot be summed, and the server would not start.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "sunmi-trade.validate.tls" -}}
{{- with .Values.tls }}
{{- if and .enabled (not .existingSecret) }}
tls.enabled is true but tls.existingSecret is not set: name the Secret (of type kubernetes.io/tls, as cert-manager makes them) that has the server's certificate and key.
{{- end }}
{{- if and .clientCA.enabled (not .enabled) }}
tls.clientCA.enabled is true but tls.enabled is false: client certificates are only asked for over TLS.
{{- end }}
{{- end }}
{{- if and .Values.tls.enabled (or (include "sunmi-trade.istio.reads" .) (eq .Values.mesh.type "linkerd")) }}
tls.enabled is true inside a mesh that reads calls (mesh.type is {{ .Values.mesh.type }}): its proxy would see only bytes, so rules by method could not hold. The mesh encrypts and proves who calls already: set tls.enabled=false.
{{- end }}
{{- end }}

{{- define "sunmi-trade.validate.stopping" -}}
{{- $needed := include "sunmi-trade.stopping" . | int64 }}
{{- $grace := include "sunmi-trade.gracePeriod" . | int64 }}
{{- if lt $grace $needed }}
terminationGracePeriodSeconds is {{ $grace }}, but stopping may take {{ $needed }} seconds (config.shutdown.delay {{ .Values.config.shutdown.delay }}, config.shutdown.drain {{ .Values.config.shutdown.drain }}, 5s to close the ledger{{ with include "sunmi-trade.preStop" . }}{{ if ne . "0" }}, {{ . }}s of lifecycle.preStop{{ end }}{{ end }}): refunds under way would be killed. Leave it null to have it computed, or shorten the drain.
{{- end }}
{{- end }}

{{- define "sunmi-trade.validate.deadlines" -}}
{{- $config := .Values.config }}
{{- $ceiling := dig "refund" "ceiling" "1m" $config }}
{{- $milliseconds := include "sunmi-trade.milliseconds" $ceiling | int64 }}
{{- if ge (include "sunmi-trade.milliseconds" $config.deadlines.max | int64) $milliseconds }}
config.deadlines.max is {{ $config.deadlines.max }}, and has to be shorter than config.refund.ceiling ({{ $ceiling }}), how long a refund works on without its caller: the server would not start.
{{- end }}
{{- if le (include "sunmi-trade.milliseconds" $config.shutdown.drain | int64) $milliseconds }}
config.shutdown.drain is {{ $config.shutdown.drain }}, and has to be longer than config.refund.ceiling ({{ $ceiling }}): refunds under way would be cut off by a rollout, and the server would not start.
{{- end }}
{{- end }}

{{- define "sunmi-trade.validate.other" -}}
{{- $sunmi := .Values.sunmi }}
{{- if and (eq $sunmi.environment "custom") (not $sunmi.baseUrl) }}
sunmi.environment is custom but sunmi.baseUrl is not set: say which address stands in for Sunmi.
{{- end }}
{{- if and (ne $sunmi.environment "custom") $sunmi.baseUrl }}
sunmi.baseUrl is set but sunmi.environment is {{ $sunmi.environment }}: the address would not be used. Set sunmi.environment=custom, or remove it.
{{- end }}
{{- if and (eq $sunmi.environment "production") (eq $sunmi.money "play") }}
sunmi.money is play but sunmi.environment is production: money moves there, and what guards it would be off. Leave sunmi.money empty.
{{- end }}
{{- if and (eq $sunmi.environment "sandbox") (eq $sunmi.money "real") }}
sunmi.money is real but sunmi.environment is sandbox: no money moves there. Leave sunmi.money empty.
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
serviceMonitor.enabled and podMonitor.enabled are both true: every pod would be scraped twice. Switch one of them off.
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.metrics.service.enabled) }}
serviceMonitor.enabled is true but metrics.service.enabled is false: there is no Service to scrape. Switch it on, or use podMonitor.
{{- end }}
{{- if and (eq .Values.probes.type "grpc") (or .Values.tls.enabled (eq .Values.mesh.type "linkerd")) }}
probes.type is grpc, but {{ .Values.tls.enabled | ternary "the kubelet's gRPC probes cannot speak TLS" "Linkerd admits only HTTP probes by itself" }}: the pod would never be ready. Set probes.type=http.
{{- end }}
{{- if and .Values.grpcRoute.enabled (not .Values.grpcRoute.parentRefs) }}
grpcRoute.enabled is true but grpcRoute.parentRefs is empty: name the Gateway that the route belongs to.
{{- end }}
{{- end }}
