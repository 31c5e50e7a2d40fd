// A reference operator for comparison: the same design as ours, written with controller-runtime.
//
// It is only for the benchmark. It supports the fields that a benchmark sets, creates the same
// children, writes statuses of the same size, and writes only what has changed. It has no
// read-your-writes barrier, so it sometimes writes a status twice.
package main

import (
	"context"
	"fmt"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// byTeam returns the servers that select a label.
const byTeam = "team"

func main() {
	if err := run(os.Getenv("REFERENCE_NAMESPACE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(namespace string) error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	scheme.AddKnownTypes(groupVersion, &MCPTool{}, &MCPToolList{}, &MCPServer{}, &MCPServerList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS = -1 // no limit, as ours has none
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: server.Options{BindAddress: "0"},
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{namespace: {}},
			DefaultTransform:  withoutManagedFields,
		},
	})
	if err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	if err := manager.GetFieldIndexer().IndexField(ctx, &MCPServer{}, byTeam, teamOf); err != nil {
		return err
	}
	if err := addControllers(manager); err != nil {
		return err
	}
	return manager.Start(ctx)
}

func addControllers(manager ctrl.Manager) error {
	declared := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}))
	options := controller.Options{MaxConcurrentReconciles: 4} // as many as ours has by default
	cl := manager.GetClient()
	selecting := func(ctx context.Context, tool client.Object) []reconcile.Request {
		var servers MCPServerList
		if err := cl.List(ctx, &servers, client.InNamespace(tool.GetNamespace()), client.MatchingFields{byTeam: tool.GetLabels()["team"]}); err != nil {
			return nil
		}
		requests := []reconcile.Request{}
		for _, each := range servers.Items {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&each)})
		}
		return requests
	}
	err := ctrl.NewControllerManagedBy(manager).For(&MCPServer{}, declared).
		Watches(&MCPTool{}, handler.EnqueueRequestsFromMapFunc(selecting), declared).
		Owns(&corev1.ConfigMap{}).Owns(&appsv1.Deployment{}).Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).Owns(&rbacv1.Role{}).Owns(&rbacv1.RoleBinding{}).
		WithOptions(options).Complete(&serverReconciler{cl})
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(manager).For(&MCPTool{}, declared).WithOptions(options).Complete(&toolReconciler{cl})
}

func teamOf(obj client.Object) []string {
	selector := obj.(*MCPServer).Spec.ToolSelector
	if selector == nil {
		return nil
	}
	return []string{selector.MatchLabels["team"]}
}

func withoutManagedFields(obj any) (any, error) {
	if accessor, err := meta.Accessor(obj); err == nil {
		accessor.SetManagedFields(nil)
	}
	return obj, nil
}
