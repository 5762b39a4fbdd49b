{{/* The chart's name, or what replaces it. */}}
{{- define "keyreeve.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What the Job is called that runs when the chart is uninstalled, and by which its Pod is found. */}}
{{- define "keyreeve.uninstallName" -}}
{{- printf "%s-uninstall" (include "keyreeve.name" . | trunc 53 | trimSuffix "-") -}}
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
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The same with more, as (list $ more). */}}
{{- define "keyreeve.labelsWith" -}}
{{- merge (deepCopy (last .)) (include "keyreeve.labels" (first .) | fromYaml) | toYaml -}}
{{- end -}}

{{/* sqlite, postgres or keycloak. */}}
{{- define "keyreeve.store" -}}
{{- .Values.store.url | splitList ":" | first | splitList "+" | first | replace "postgresql" "postgres" -}}
{{- end -}}

{{/* The ports of a store that is a server, as a YAML list: as said, else that of its URL, or the usual one. */}}
{{- define "keyreeve.storePorts" -}}
{{- $usual := dict "postgres" "5432" "postgresql" "5432" "keycloak+http" "80" "keycloak+https" "443" -}}
{{- $host := (urlParse .Values.store.url).host -}}
{{- $own := regexFind ":[0-9]+$" $host | trimPrefix ":" | default (get $usual (.Values.store.url | splitList ":" | first)) -}}
{{- range .Values.networkPolicy.egress.storePorts | default (list $own) }}
- port: {{ . }}
  protocol: TCP
{{- end }}
{{- end -}}

{{/* What the schema cannot say, because it is about several values. */}}
{{- define "keyreeve.check" -}}
{{- if eq (include "keyreeve.store" .) "sqlite" -}}
{{- if has ".." (splitList "/" .Values.store.url) -}}
{{- fail "store.url leads up by \"..\", which may be out of the volume at /var/lib/keyreeve, so that the store would go with the Pod: say the path without it" -}}
{{- end -}}
{{- if not .Values.persistence.enabled -}}
{{- fail "persistence.enabled is false, but the store is SQLite, which needs a volume: without one, every new Pod would begin with an empty store. Leave it on, or set store.url to postgres://… or keycloak+https://…" -}}
{{- end -}}
{{- if .Values.store.credentialsSecret -}}
{{- fail "store.credentialsSecret is set, but the store is SQLite, a file that nobody logs in to. Set store.url to the server that they are for, or leave them out" -}}
{{- end -}}
{{- else if not .Values.store.credentialsSecret -}}
{{- if not (include "keyreeve.hasOwnCredentials" .) -}}
{{- fail "store.credentialsSecret is needed: the name of a Secret in the release's namespace with the username and password of the operator at its store (or set KEYREEVE_STORE_PASSWORD by extraEnv)" -}}
{{- end -}}
{{- end -}}
{{- $ownMachine := regexMatch "^keycloak\\+http://(localhost|127\\.[0-9.]+|\\[::1\\])(:|/|$)" .Values.store.url -}}
{{- if and (hasPrefix "keycloak+http://" .Values.store.url) (not $ownMachine) (not (include "keyreeve.allowsHttp" .)) -}}
{{- fail "store.url is keycloak+http://…, by which everybody on the way could read the operator's secret: take keycloak+https://…, or give --store-allow-http by extraArgs where the way is private" -}}
{{- end -}}
{{- if and .Values.webhook.certManager.enabled (not .Values.webhook.enabled) -}}
{{- fail "webhook.certManager.enabled is for the webhook, which is off: set webhook.enabled, too" -}}
{{- end -}}
{{- with .Values.defaultProfile -}}
{{- if and $.Values.watchNamespaces (not (has (splitList "/" . | first) $.Values.watchNamespaces)) -}}
{{- fail (printf "defaultProfile %s is in a namespace that watchNamespaces does not list: the operator could not read it" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Something, if extraArgs or extraEnv say that the way to Keycloak is private. */}}
{{- define "keyreeve.allowsHttp" -}}
{{- if has "--store-allow-http" .Values.extraArgs -}}yes{{- end -}}
{{- range .Values.extraEnv -}}
{{- if and (eq .name "KEYREEVE_STORE_ALLOW_HTTP") (eq (.value | default "") "true") -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* Something, if the URL or extraEnv tells how the operator logs in at its store. */}}
{{- define "keyreeve.hasOwnCredentials" -}}
{{- if contains "sslcert=" .Values.store.url -}}yes{{- end -}}
{{- range .Values.extraEnv -}}
{{- if has .name (list "KEYREEVE_STORE_PASSWORD" "KEYREEVE_STORE_PASSWORD_FILE" "PGPASSWORD") -}}yes{{- end -}}
{{- end -}}
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

{{/* As outsideName, for kinds whose names are those of DNS. */}}
{{- define "keyreeve.outsideDnsName" -}}
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

{{/* What `keyreeve uninstall` may do wherever the operator watched: find objects and take its finalizer off. */}}
{{- define "keyreeve.uninstallRules" -}}
- apiGroups: [keyreeve.dev]
  resources: [tenants, namespaces, roles, users]
  verbs: [list, patch]
{{- end -}}

{{/* Of the level "restricted", and more. */}}
{{- define "keyreeve.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "keyreeve.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The subject of every binding. */}}
{{- define "keyreeve.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "keyreeve.serviceAccountName" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}
