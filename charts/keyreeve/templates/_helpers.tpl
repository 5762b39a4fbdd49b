{{/* The chart's name, or what replaces it. */}}
{{- define "keyreeve.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of the release's objects. */}}
{{- define "keyreeve.fullname" -}}
{{- $name := include "keyreeve.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of what lies outside of the release's namespace: two releases of one name do not meet there. */}}
{{- define "keyreeve.outsideName" -}}
{{- printf "%s:%s" .Release.Namespace (include "keyreeve.fullname" .) -}}
{{- end -}}

{{- define "keyreeve.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "keyreeve.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What finds the Pod: it never changes in the life of a release. */}}
{{- define "keyreeve.selectorLabels" -}}
app.kubernetes.io/name: {{ include "keyreeve.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "keyreeve.labels" -}}
{{ include "keyreeve.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "keyreeve.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "keyreeve.claimName" -}}
{{- .Values.persistence.existingClaim | default (include "keyreeve.fullname" .) -}}
{{- end -}}

{{/* Where the Secrets with the tenants' signing keys are. */}}
{{- define "keyreeve.keystoreNamespace" -}}
{{- .Values.keystore.namespace | default .Release.Namespace -}}
{{- end -}}

{{/* The Service in front of the webhook; the Secret with the operator's own certificate has its name. */}}
{{- define "keyreeve.webhookService" -}}
{{- printf "%s-webhook" (include "keyreeve.fullname" . | trunc 55 | trimSuffix "-") -}}
{{- end -}}

{{/* As outsideName, for a kind whose names are those of DNS. */}}
{{- define "keyreeve.webhookConfiguration" -}}
{{- printf "%s.%s" (include "keyreeve.fullname" .) .Release.Namespace -}}
{{- end -}}

{{/* What the operator may do wherever it watches. */}}
{{- define "keyreeve.rules" -}}
# By patch, it sets and removes its finalizer. It gets an object only when that cannot be read as one
# of its kind, to say so in its status.
- apiGroups: [keyreeve.dev]
  resources: [tenants, namespaces, roles, users]
  verbs: [get, list, watch, patch]
- apiGroups: [keyreeve.dev]
  resources: [tenantprofiles]
  verbs: [get, list, watch]
- apiGroups: [keyreeve.dev]
  resources: [tenants/status, tenantprofiles/status, namespaces/status, roles/status, users/status]
  verbs: [patch]
# Whether the whole Kubernetes namespace goes, when an object in it is deleted.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if not .Values.secrets.namespaces }}
{{ include "keyreeve.passwordRules" . }}
{{- end }}
{{- end -}}

{{/* What the operator may do where the Secrets of Users' passwords are. It watches their metadata, gets those
     that Users name, and makes those that Users ask for; it never changes or removes one. */}}
{{- define "keyreeve.passwordRules" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create]
{{- end -}}

{{/* The subject of every binding. */}}
{{- define "keyreeve.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "keyreeve.serviceAccountName" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}
