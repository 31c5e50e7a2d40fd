package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var groupVersion = schema.GroupVersion{Group: "mcp-operator.dev", Version: "v1alpha1"}

// The fields of the API that a benchmark sets, and the resulting status.

type ServiceRef struct {
	Name   string `json:"name"`
	Path   string `json:"path,omitempty"`
	Port   int    `json:"port,omitempty"`
	Scheme string `json:"scheme,omitempty"`
}
type ToolSpec struct {
	Name        string      `json:"name,omitempty"`
	Description string      `json:"description,omitempty"`
	Enabled     bool        `json:"enabled"`
	Service     *ServiceRef `json:"service,omitempty"`
}
type ServerRef struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Accepted  bool   `json:"accepted"`
}
type ToolStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Ready              bool               `json:"ready"`
	ResolvedEndpoint   string             `json:"resolvedEndpoint,omitempty"`
	ToolCount          int                `json:"toolCount"`
	ToolNames          []string           `json:"toolNames,omitempty"`
	ServerCount        int                `json:"serverCount"`
	Servers            []ServerRef        `json:"servers,omitempty"`
	LastSyncTime       string             `json:"lastSyncTime,omitempty"`
}
type MCPTool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ToolSpec   `json:"spec,omitempty"`
	Status            ToolStatus `json:"status,omitempty"`
}
type MCPToolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MCPTool `json:"items"`
}
type ServerSpec struct {
	Mode         string                `json:"mode,omitempty"`
	Port         int                   `json:"port,omitempty"`
	ToolSelector *metav1.LabelSelector `json:"toolSelector,omitempty"`
}
type ServerStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	ConfigHash         string             `json:"configHash,omitempty"`
	ConfigBytes        int                `json:"configBytes,omitempty"`
	ToolCount          int                `json:"toolCount"`
	Replicas           int32              `json:"replicas"`
	Selector           string             `json:"selector,omitempty"`
	URL                string             `json:"url,omitempty"`
	LastSyncTime       string             `json:"lastSyncTime,omitempty"`
}
type MCPServer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ServerSpec   `json:"spec,omitempty"`
	Status            ServerStatus `json:"status,omitempty"`
}
type MCPServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MCPServer `json:"items"`
}

func copied(in []metav1.Condition) []metav1.Condition { return append([]metav1.Condition(nil), in...) }

func (t *MCPTool) DeepCopyObject() runtime.Object {
	o := *t
	t.ObjectMeta.DeepCopyInto(&o.ObjectMeta)
	if t.Spec.Service != nil {
		s := *t.Spec.Service
		o.Spec.Service = &s
	}
	o.Status.Conditions = copied(t.Status.Conditions)
	o.Status.ToolNames = append([]string(nil), t.Status.ToolNames...)
	o.Status.Servers = append([]ServerRef(nil), t.Status.Servers...)
	return &o
}
func (l *MCPToolList) DeepCopyObject() runtime.Object {
	o := *l
	o.Items = make([]MCPTool, len(l.Items))
	for i := range l.Items {
		o.Items[i] = *l.Items[i].DeepCopyObject().(*MCPTool)
	}
	return &o
}
func (t *MCPServer) DeepCopyObject() runtime.Object {
	o := *t
	t.ObjectMeta.DeepCopyInto(&o.ObjectMeta)
	o.Spec.ToolSelector = t.Spec.ToolSelector.DeepCopy()
	o.Status.Conditions = copied(t.Status.Conditions)
	return &o
}
func (l *MCPServerList) DeepCopyObject() runtime.Object {
	o := *l
	o.Items = make([]MCPServer, len(l.Items))
	for i := range l.Items {
		o.Items[i] = *l.Items[i].DeepCopyObject().(*MCPServer)
	}
	return &o
}
