{{/* The chart's name, as in app.kubernetes.io/name. */}}
{{- define "mcp-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{/*
What the names of all objects begin with. 53 characters leave room for the longest suffix in the 63
that a DNS label has; what is cut off is replaced by its hash, so that long names stay different.
A Service's name has no dots and begins with a letter, unlike a release's.
*/}}
{{- define "mcp-operator.fullname" -}}
{{- $name := include "mcp-operator.name" . -}}
{{- $release := replace "." "-" .Release.Name -}}
{{- $full := ternary $release (printf "%s-%s" $release $name) (contains $name $release) -}}
{{- if not (regexMatch "^[a-z]" $full) -}}
{{- $full = printf "%s-%s" $name $release -}}
{{- end -}}
{{- $full = default $full .Values.fullnameOverride -}}
{{- if gt (len $full) 53 -}}
{{- printf "%s-%s" (trunc 44 $full | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{- define "mcp-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "mcp-operator.serviceAccountName" -}}
{{- default (include "mcp-operator.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/*
The labels that pods are selected by, in manifests/base as well. A Deployment's selector is
immutable: never change them.
*/}}
{{- define "mcp-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mcp-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The labels of everything, as a YAML map: the user's, then ours, which decide. */}}
{{- define "mcp-operator.labels" -}}
{{- $ours := include "mcp-operator.selectorLabels" . | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/component" "operator" -}}
{{- $_ := set $ours "app.kubernetes.io/part-of" "mcp-operator" -}}
{{- $_ := set $ours "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- merge $ours (include "mcp-operator.rendered" (dict "map" .Values.commonLabels "root" .) | fromYaml) | toYaml -}}
{{- end -}}

{{/* A map of values in which templates are rendered. Arguments: map, root. */}}
{{- define "mcp-operator.rendered" -}}
{{- tpl (toYaml .map) .root -}}
{{- end -}}

{{/*
The metadata of an object. Arguments: root; name; optionally labels and annotations (maps of values);
cluster (true for an object without a namespace); namespace (where it is not the release's).
*/}}
{{- define "mcp-operator.metadata" -}}
{{- $root := .root -}}
{{- $annotations := merge (include "mcp-operator.rendered" (dict "map" (default dict .annotations) "root" $root) | fromYaml) (include "mcp-operator.rendered" (dict "map" $root.Values.commonAnnotations "root" $root) | fromYaml) -}}
{{- $labels := merge (include "mcp-operator.labels" $root | fromYaml) (include "mcp-operator.rendered" (dict "map" (default dict .labels) "root" $root) | fromYaml) -}}
name: {{ .name }}
{{- if not .cluster }}
namespace: {{ default (include "mcp-operator.namespace" $root) .namespace }}
{{- end }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The reference of the operator's image. */}}
{{- define "mcp-operator.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- $repository := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (ne $registry "") -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The settings of the process, as environment variables. It checks them when it starts. */}}
{{- define "mcp-operator.settings" -}}
{{- $config := deepCopy .Values.config }}
{{- $secrets := concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
{{- $template := default dict $config.podTemplate }}
{{- $pod := default dict $template.spec }}
{{- if and $secrets (not (hasKey $pod "imagePullSecrets")) }}
{{- $_ := set $config "podTemplate" (set $template "spec" (set $pod "imagePullSecrets" $secrets)) }}
{{- end }}
{{- range $key, $value := $config }}
{{- $text := toString $value }}
{{- if kindIs "slice" $value }}
{{- $text = join "," $value }}
{{- else if kindIs "map" $value }}
{{- $text = ternary (toYaml $value) "" (gt (len $value) 0) }}
{{- end }}
{{- if ne $text "" }}
MCP_OPERATOR_{{ snakecase $key | upper }}: {{ $text | quote }}
{{- end }}
{{- end }}
{{- with .Values.watchNamespaces }}
MCP_OPERATOR_NAMESPACES: {{ join "," . | quote }}
{{- end }}
{{- with include "mcp-operator.namespaceSelector" . }}
MCP_OPERATOR_NAMESPACE_SELECTOR: {{ . | quote }}
{{- end }}
MCP_OPERATOR_GATEWAY_IMAGE: {{ default (include "mcp-operator.image" .) .Values.gatewayImage | quote }}
MCP_OPERATOR_GATEWAY_IMAGE_PULL_POLICY: {{ default .Values.image.pullPolicy .Values.gatewayImagePullPolicy | quote }}
MCP_OPERATOR_LEASE_NAME: {{ include "mcp-operator.fullname" . | quote }}
MCP_OPERATOR_LEASE_NAMESPACE: {{ include "mcp-operator.namespace" . | quote }}
{{- end -}}

{{/* The selector of namespaces as kubectl would take it; empty for all. */}}
{{- define "mcp-operator.namespaceSelector" -}}
{{- $requirements := list -}}
{{- range $label, $value := .Values.watchNamespaceSelector.matchLabels -}}
{{- $requirements = append $requirements (printf "%s=%s" $label $value) -}}
{{- end -}}
{{- range .Values.watchNamespaceSelector.matchExpressions -}}
{{- if has .operator (list "In" "NotIn") -}}
{{- $requirements = append $requirements (printf "%s %s (%s)" .key (lower .operator) (join "," .values)) -}}
{{- else -}}
{{- $requirements = append $requirements (printf "%s%s" (ternary "" "!" (eq .operator "Exists")) .key) -}}
{{- end -}}
{{- end -}}
{{- join "," $requirements -}}
{{- end -}}

{{/*
"true" where an object of the Prometheus operator is wanted and can be made. Arguments: root,
enabled, kind.
*/}}
{{- define "mcp-operator.monitored" -}}
{{- if .enabled -}}
{{- $mode := .root.Values.monitoring.renderMode -}}
{{- $there := .root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" .kind) -}}
{{- if or $there (eq $mode "always") -}}
true
{{- else if eq $mode "failIfMissing" -}}
{{- fail (printf "The cluster has no monitoring.coreos.com/v1 %s: install the Prometheus operator first, or set monitoring.renderMode to skipIfMissing." .kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How a monitor scrapes. */}}
{{- define "mcp-operator.endpoint" -}}
path: /metrics
{{- with .Values.monitoring.interval }}
interval: {{ . }}
{{- end }}
{{- with .Values.monitoring.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .Values.monitoring.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.monitoring.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An HTTP probe. Arguments: path, probe. */}}
{{- define "mcp-operator.probe" -}}
httpGet:
  path: {{ .path }}
  port: health
  scheme: HTTP
periodSeconds: {{ .probe.periodSeconds }}
timeoutSeconds: {{ .probe.timeoutSeconds }}
failureThreshold: {{ .probe.failureThreshold }}
{{- end -}}
