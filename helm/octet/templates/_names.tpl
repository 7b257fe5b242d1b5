{{- define "octet.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "octet.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "octet.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "octet.selectorLabels" . }}
{{- end -}}

{{/* The claim that holds the models; empty where those in the image are served. */}}
{{- define "octet.modelsClaim" -}}
{{- if .Values.models.newClaim.create -}}
{{- if .Values.models.persistentVolumeClaim -}}
{{- fail "models: got persistentVolumeClaim and newClaim.create, wants one of them" -}}
{{- end -}}
{{- printf "%s-models" (include "octet.fullname" .) -}}
{{- else -}}
{{- .Values.models.persistentVolumeClaim -}}
{{- end -}}
{{- end -}}

{{- define "octet.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "octet.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* "true" where that listener speaks TLS: (list $ "http"). */}}
{{- define "octet.hasTls" -}}
{{- $values := (index . 0).Values -}}
{{- if and $values.tls.secret (index $values.tls (index . 1)) -}}true{{- end -}}
{{- end -}}

{{/* The server's configuration file; empty where flags say everything. */}}
{{- define "octet.config" -}}
{{- $root := . -}}
{{- $tls := .Values.tls -}}
{{- if and $tls.clientCaSecret (not $tls.secret) -}}
{{- fail "tls: got clientCaSecret, wants secret too" -}}
{{- end -}}
{{- if and $tls.clientCaSecret (not .Values.access.secret) -}}
{{- fail "tls.clientCaSecret: wants access.secret too: the kubelet, which probes over HTTP, has no certificate, and only roles keep others without one out" -}}
{{- end -}}
{{- if and .Values.allowManagement .Values.access.secret -}}
{{- fail "allowManagement: got true, wants false beside access.secret, where the role admin does it" -}}
{{- end -}}
{{- $access := dict -}}
{{- range $listener := list "grpc" "http" "metrics" -}}
{{- $settings := dict -}}
{{- if and $tls.secret (not (index $tls $listener)) -}}
{{- $_ := set $settings "tls" false -}}
{{- end -}}
{{- if $root.Values.access.secret -}}
{{- $_ := set $settings "anonymous" (index $root.Values.access.anonymous $listener) -}}
{{- end -}}
{{- if and $tls.clientCaSecret (eq $listener "http") (include "octet.hasTls" (list $root $listener)) -}}
{{- $_ := set $settings "require_client_certificate" false -}}
{{- end -}}
{{- if $settings -}}
{{- $_ := set $access $listener $settings -}}
{{- end -}}
{{- end -}}
{{- $config := dict -}}
{{- if $access -}}
{{- $_ := set $config "access" $access -}}
{{- end -}}
{{- with .Values.tracing -}}
{{- if .endpoint -}}
{{- $_ := set $config "tracing" (dict "endpoint" .endpoint "service_name" .serviceName "sample" (float64 .sample)) -}}
{{- end -}}
{{- end -}}
{{- $config = mergeOverwrite $config (deepCopy .Values.config) -}}
{{- if dig "access" "protect_health" false $config -}}
{{- fail "config.access.protect_health: got true, but the kubelet, which probes, has no role" -}}
{{- end -}}
{{- if $config -}}
{{- toYaml $config -}}
{{- end -}}
{{- end -}}

{{/* A probe of that path of HTTP: (list $ "ready"). */}}
{{- define "octet.probe" -}}
httpGet:
  path: /v2/health/{{ index . 1 }}
  port: http
  {{- if include "octet.hasTls" (list (index . 0) "http") }}
  scheme: HTTPS
  {{- end }}
{{- end -}}
