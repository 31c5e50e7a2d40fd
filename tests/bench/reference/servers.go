package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const owner = client.FieldOwner("reference")

const appliedHash = "mcp-operator.dev/applied-hash"

type entry struct {
	Name, Description, Host, Path string
	Port                          int
}

// catalog is the catalog of a server, in the form that its pods read.
type catalog struct {
	digest string
	bytes  int
	tools  int
	packed []byte
}

type serverReconciler struct{ client.Client }

func (r *serverReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var server MCPServer
	if err := r.Get(ctx, req.NamespacedName, &server); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	content, err := r.catalog(ctx, &server)
	if err != nil {
		return reconcile.Result{}, err
	}
	for _, child := range children(&server, content) {
		if err := controllerutil.SetControllerReference(&server, child, r.Scheme()); err != nil {
			return reconcile.Result{}, err
		}
		if err := r.apply(ctx, child); err != nil {
			return reconcile.Result{}, err
		}
	}
	var deployment appsv1.Deployment
	key := client.ObjectKey{Namespace: server.Namespace, Name: "mcp-server-" + server.Name}
	if err := r.Get(ctx, key, &deployment); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	before := server.Status
	before.Conditions = copied(server.Status.Conditions)
	server.summarize(content, deployment.Status.Replicas)
	return reconcile.Result{}, writeStatus(ctx, r.Client, &server, before, server.Status)
}

func (r *serverReconciler) catalog(ctx context.Context, server *MCPServer) (catalog, error) {
	selector, err := metav1.LabelSelectorAsSelector(server.Spec.ToolSelector)
	if err != nil {
		return catalog{}, err
	}
	var tools MCPToolList
	here := client.InNamespace(server.Namespace)
	if err := r.List(ctx, &tools, here, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return catalog{}, err
	}
	sort.Slice(tools.Items, func(i, j int) bool { return tools.Items[i].Name < tools.Items[j].Name })
	entries := []entry{}
	for _, tool := range tools.Items {
		if tool.Spec.Service == nil {
			continue
		}
		var service corev1.Service
		key := client.ObjectKey{Namespace: tool.Namespace, Name: tool.Spec.Service.Name}
		if err := r.Get(ctx, key, &service); apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return catalog{}, err
		}
		host := service.Name + "." + service.Namespace + ".svc"
		entries = append(entries, entry{tool.Spec.Name, tool.Spec.Description, host, tool.Spec.Service.Path, tool.Spec.Service.Port})
	}
	raw, err := json.Marshal(entries)
	if err != nil {
		return catalog{}, err
	}
	packed, err := compressed(raw)
	return catalog{digestOf(raw), len(raw), len(entries), packed}, err
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func compressed(raw []byte) ([]byte, error) {
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, 6)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(raw); err != nil {
		return nil, err
	}
	err = writer.Close()
	return packed.Bytes(), err
}

// apply writes a child unless the same content was applied before.
func (r *serverReconciler) apply(ctx context.Context, want client.Object) error {
	raw, err := json.Marshal(want)
	if err != nil {
		return err
	}
	mark := digestOf(raw)[:16]
	live := want.DeepCopyObject().(client.Object)
	err = r.Get(ctx, client.ObjectKeyFromObject(want), live)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil && live.GetAnnotations()[appliedHash] == mark {
		return nil
	}
	want.SetAnnotations(map[string]string{appliedHash: mark})
	return r.Patch(ctx, want, client.Apply, owner, client.ForceOwnership)
}

func (s *MCPServer) summarize(content catalog, replicas int32) {
	status := &s.Status
	if status.ConfigHash != content.digest {
		status.LastSyncTime = now()
	}
	status.ObservedGeneration, status.Replicas = s.Generation, replicas
	status.ConfigHash, status.ConfigBytes, status.ToolCount = content.digest, content.bytes, content.tools
	status.Selector = labels.FormatLabels(podLabels(s))
	status.URL = "http://mcp-server-" + s.Name + "." + s.Namespace + ".svc:8080/mcp"
	set(&status.Conditions, s.Generation, metav1.ConditionTrue, "The spec is valid, and all it refers to exists.", "Accepted", "ResolvedRefs")
	set(&status.Conditions, s.Generation, metav1.ConditionFalse, "No pod of the server is ready.", "Programmed", "Ready", "Degraded")
}
