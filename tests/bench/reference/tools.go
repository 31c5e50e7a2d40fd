package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

type toolReconciler struct{ client.Client }

func (r *toolReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var tool MCPTool
	if err := r.Get(ctx, req.NamespacedName, &tool); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var servers MCPServerList
	if err := r.List(ctx, &servers, client.InNamespace(tool.Namespace), client.MatchingFields{byTeam: tool.Labels["team"]}); err != nil {
		return reconcile.Result{}, err
	}
	before := tool.Status
	before.Conditions = copied(tool.Status.Conditions)
	tool.summarize(servers.Items)
	return reconcile.Result{}, writeStatus(ctx, r.Client, &tool, before, tool.Status)
}

func (t *MCPTool) summarize(servers []MCPServer) {
	status := &t.Status
	if status.ObservedGeneration != t.Generation {
		status.LastSyncTime = now()
	}
	status.ObservedGeneration, status.ToolCount, status.ToolNames = t.Generation, 1, []string{t.Spec.Name}
	status.Servers = nil
	for _, server := range servers {
		status.Servers = append(status.Servers, ServerRef{server.Namespace, server.Name, true})
	}
	status.ServerCount = len(status.Servers)
	if service := t.Spec.Service; service != nil {
		status.ResolvedEndpoint = fmt.Sprintf("http://%s.%s.svc:%d", service.Name, t.Namespace, service.Port)
	}
	set(&status.Conditions, t.Generation, metav1.ConditionTrue, "The spec is valid, and all it refers to exists.", "Accepted", "ResolvedRefs")
	set(&status.Conditions, t.Generation, metav1.ConditionFalse, "not yet served by its server", "Programmed", "Ready")
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

func set(conditions *[]metav1.Condition, generation int64, status metav1.ConditionStatus, message string, types ...string) {
	for _, each := range types {
		meta.SetStatusCondition(conditions, metav1.Condition{
			Type: each, Status: status, Reason: "Because", Message: message, ObservedGeneration: generation,
		})
	}
}

// writeStatus writes a status if it differs from the previous one.
func writeStatus(ctx context.Context, c client.Client, obj client.Object, before, after any) error {
	old, err := json.Marshal(before)
	if err != nil {
		return err
	}
	now, err := json.Marshal(after)
	if err != nil || bytes.Equal(old, now) {
		return err
	}
	return c.Status().Update(ctx, obj)
}
