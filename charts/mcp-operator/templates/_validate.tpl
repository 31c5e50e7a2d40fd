{{/* What the schema cannot see: values that are right alone and wrong together. */}}
{{- define "mcp-operator.validate" -}}
{{- $v := .Values -}}
{{- if and (not $v.config.leaderElect) (gt (int $v.replicaCount) 1) -}}
{{- fail (printf "replicaCount is %d, but config.leaderElect is false: without a Lease all replicas would write at once. Set config.leaderElect to true, or replicaCount to 1." (int $v.replicaCount)) -}}
{{- end -}}
{{- if and (not $v.config.leaderElect) (ne $v.strategy.type "Recreate") -}}
{{- fail "config.leaderElect is false, but strategy.type is RollingUpdate: on an update the old and the new pod would write at once. Set strategy.type to Recreate, or config.leaderElect to true." -}}
{{- end -}}
{{- with $v.strategy.rollingUpdate -}}
{{- if and (has (toString .maxSurge) (list "0" "0%")) (has (toString .maxUnavailable) (list "0" "0%")) -}}
{{- fail "strategy.rollingUpdate.maxSurge and strategy.rollingUpdate.maxUnavailable are both 0: no pod could ever be replaced. Set one of them to 1." -}}
{{- end -}}
{{- end -}}
{{- if and $v.watchNamespaces $v.watchNamespaceSelector -}}
{{- fail "watchNamespaces and watchNamespaceSelector are both set: choose the namespaces by name or by label. Set one of them to its default." -}}
{{- end -}}
{{- range $v.watchNamespaceSelector.matchExpressions -}}
{{- if and (has .operator (list "In" "NotIn")) (not .values) -}}
{{- fail (printf "watchNamespaceSelector.matchExpressions: the operator %s of %s needs values." .operator .key) -}}
{{- end -}}
{{- end -}}
{{- if ge (float64 $v.config.renewDeadline) (float64 $v.config.leaseDuration) -}}
{{- fail (printf "config.renewDeadline is %v, but must be less than config.leaseDuration, which is %v: else two replicas could lead at a time." $v.config.renewDeadline $v.config.leaseDuration) -}}
{{- end -}}
{{- if ge (mulf (float64 $v.config.retryPeriod) 1.2) (float64 $v.config.renewDeadline) -}}
{{- fail (printf "config.retryPeriod is %v, but 1.2 times it must be less than config.renewDeadline, which is %v: else a leader could not try twice." $v.config.retryPeriod $v.config.renewDeadline) -}}
{{- end -}}
{{- if and (not $v.serviceAccount.create) (not $v.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false, but serviceAccount.name is empty: name the account that the operator runs as, or set serviceAccount.create to true." -}}
{{- end -}}
{{- $budget := $v.podDisruptionBudget -}}
{{- if $budget.enabled -}}
{{- if and (ne (toString $budget.minAvailable) "") (ne (toString $budget.maxUnavailable) "") -}}
{{- fail "podDisruptionBudget.minAvailable and podDisruptionBudget.maxUnavailable are both set, but only one may be. Set podDisruptionBudget.maxUnavailable to \"\"." -}}
{{- end -}}
{{- if has (toString $budget.maxUnavailable) (list "0" "0%") -}}
{{- fail "podDisruptionBudget.maxUnavailable is 0: no node with an operator pod could ever be drained. Set it to 1." -}}
{{- end -}}
{{- if and (gt (int $v.replicaCount) 1) (or (eq (toString $budget.minAvailable) "100%") (and (regexMatch "^[0-9]+$" (toString $budget.minAvailable)) (ge (int $budget.minAvailable) (int $v.replicaCount)))) -}}
{{- fail (printf "podDisruptionBudget.minAvailable is %v of %d replicas: no node with an operator pod could ever be drained. Lower it, or raise replicaCount." $budget.minAvailable (int $v.replicaCount)) -}}
{{- end -}}
{{- end -}}
{{- if and $v.monitoring.serviceMonitor.enabled $v.monitoring.podMonitor.enabled -}}
{{- fail "monitoring.serviceMonitor.enabled and monitoring.podMonitor.enabled are both true: every sample would be stored twice. Set one of them to false." -}}
{{- end -}}
{{- if and $v.monitoring.serviceMonitor.enabled (not $v.service.enabled) -}}
{{- fail "monitoring.serviceMonitor.enabled is true, but service.enabled is false, and a ServiceMonitor finds pods by their Service. Set service.enabled to true, or use monitoring.podMonitor.enabled." -}}
{{- end -}}
{{- if and $v.monitoring.dashboard.enabled (not $v.monitoring.dashboard.labels) -}}
{{- fail "monitoring.dashboard.enabled is true, but monitoring.dashboard.labels is empty: Grafana's sidecar would never find the dashboard. Give the label that it looks for." -}}
{{- end -}}
{{- range $key, $request := default dict $v.resources.requests -}}
{{- if and (hasKey (default dict $v.resources.limits) $key) (regexMatch "^[0-9.]+$" (toString $request)) (regexMatch "^[0-9.]+$" (toString (get $v.resources.limits $key))) (gt (float64 $request) (float64 (get $v.resources.limits $key))) -}}
{{- fail (printf "resources.requests.%s is %v, more than resources.limits.%s, which is %v. Raise the limit, or lower the request." $key $request $key (get $v.resources.limits $key)) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "extraEnv" "extraContainers" "extraInitContainers" -}}
{{- range $entry := get $v $name -}}
{{- if and (eq $name "extraEnv") (hasPrefix "MCP_OPERATOR_" $entry.name) (hasKey (include "mcp-operator.settings" $ | fromYaml) $entry.name) -}}
{{- fail (printf "extraEnv sets %s, which the chart sets from a value of its own. Use that value: see the keys below config, watchNamespaces, watchNamespaceSelector and gatewayImage." $entry.name) -}}
{{- end -}}
{{- if and (hasSuffix "Containers" $name) (eq $entry.name "operator") -}}
{{- fail (printf "%s has a container named operator, as the chart's own is. Give it another name." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
