package main

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func podLabels(server *MCPServer) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":     "mcp-server",
		"app.kubernetes.io/instance": server.Name,
	}
}

// children returns the children of a server in the order of application: the same six as ours.
func children(server *MCPServer, content catalog) []client.Object {
	name := "mcp-server-" + server.Name
	meta := func(suffix string) metav1.ObjectMeta {
		labels := podLabels(server)
		labels["app.kubernetes.io/managed-by"] = "reference"
		return metav1.ObjectMeta{Name: name + suffix, Namespace: server.Namespace, Labels: labels}
	}
	kind := func(version, kind string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: version, Kind: kind}
	}
	rbac, match, one := rbacv1.SchemeGroupVersion.String(), podLabels(server), int32(1)
	index := fmt.Sprintf(`{"digest":%q,"bytes":%d}`, content.digest, content.bytes)
	return []client.Object{
		&corev1.ServiceAccount{TypeMeta: kind("v1", "ServiceAccount"), ObjectMeta: meta("")},
		&rbacv1.Role{TypeMeta: kind(rbac, "Role"), ObjectMeta: meta(""), Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"configmaps"},
			ResourceNames: []string{name + "-config"}, Verbs: []string{"get", "list", "watch"},
		}}},
		&rbacv1.RoleBinding{
			TypeMeta: kind(rbac, "RoleBinding"), ObjectMeta: meta(""),
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: server.Namespace}},
		},
		&corev1.ConfigMap{
			TypeMeta: kind("v1", "ConfigMap"), ObjectMeta: meta("-config"),
			Data: map[string]string{"index.json": index}, BinaryData: map[string][]byte{"catalog.gz": content.packed},
		},
		&appsv1.Deployment{TypeMeta: kind("apps/v1", "Deployment"), ObjectMeta: meta(""), Spec: appsv1.DeploymentSpec{
			Replicas: &one,
			Selector: &metav1.LabelSelector{MatchLabels: match},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: match},
				Spec: corev1.PodSpec{ServiceAccountName: name, Containers: []corev1.Container{{
					Name: "gateway", Image: "gateway", Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
				}}},
			},
		}},
		&corev1.Service{TypeMeta: kind("v1", "Service"), ObjectMeta: meta(""), Spec: corev1.ServiceSpec{
			Selector: match,
			Ports:    []corev1.ServicePort{{Port: 8080, TargetPort: intstr.FromInt32(8080)}},
		}},
	}
}
