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
