package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
)

// manager is the field manager with which Argo CD applies server-side.
const manager = "argocd-controller"

type comparison struct {
	modes map[string][]diff.Option
}

// newComparison prepares the three ways in which Argo CD compares: of itself, with
// ServerSideApply=true, and with ServerSideDiff=true.
func newComparison(kubeconfig string) (*comparison, func(), error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	config.QPS, config.Burst = 1000, 1000
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	_, parser, err := kubectl.LoadOpenAPISchema(config)
	if err != nil {
		return nil, nil, err
	}
	applier, stop, err := kubectl.ManageServerSideDiffDryRuns(config)
	if err != nil {
		return nil, nil, err
	}
	common := []diff.Option{
		diff.WithLogr(logr.Discard()), diff.WithGVKParser(parser), diff.WithManager(manager),
	}
	with := func(options ...diff.Option) []diff.Option {
		return append(append([]diff.Option{}, common...), options...)
	}
	runner := diff.NewK8sServerSideDryRunner(applier)
	return &comparison{map[string][]diff.Option{
		"legacy":     with(),
		"structured": with(diff.WithStructuredMergeDiff(true)),
		"server":     with(diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(runner)),
	}}, stop, nil
}

// differing returns the paths that differ, for each way of comparison with differences.
func (c *comparison) differing(config, live *unstructured.Unstructured) (map[string][]string, error) {
	found := map[string][]string{}
	for mode, options := range c.modes {
		result, err := diff.Diff(config.DeepCopy(), live.DeepCopy(), options...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", mode, err)
		}
		if !result.Modified {
			continue
		}
		var one, other any
		if err := json.Unmarshal(result.NormalizedLive, &one); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(result.PredictedLive, &other); err != nil {
			return nil, err
		}
		found[mode] = paths("", one, other, []string{})
	}
	return found, nil
}

// paths appends to found the paths at which two values differ.
func paths(path string, live, predicted any, found []string) []string {
	if reflect.DeepEqual(live, predicted) {
		return found
	}
	if one, other, ok := both[map[string]any](live, predicted); ok {
		names := map[string]bool{}
		for name := range one {
			names[name] = true
		}
		for name := range other {
			names[name] = true
		}
		sorted := make([]string, 0, len(names))
		for name := range names {
			sorted = append(sorted, name)
		}
		sort.Strings(sorted)
		for _, name := range sorted {
			found = paths(path+"."+name, one[name], other[name], found)
		}
		return found
	}
	if one, other, ok := both[[]any](live, predicted); ok && len(one) == len(other) {
		for index := range one {
			found = paths(fmt.Sprintf("%s[%d]", path, index), one[index], other[index], found)
		}
		return found
	}
	return append(found, path)
}

func both[T any](one, other any) (T, T, bool) {
	first, ok := one.(T)
	second, also := other.(T)
	return first, second, ok && also
}
