// Command controlplane is the Kubernetes control plane that the tests run
// against: etcd, kube-apiserver and kube-controller-manager in one binary. The
// component is the name under which the binary is called, or its first argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"

	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

func run(component string) int {
	switch component {
	case "etcd":
		etcdmain.Main(os.Args)
		return 0
	case "kube-apiserver":
		return cli.Run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		return cli.Run(controllers.NewControllerManagerCommand())
	default:
		return -1
	}
}

func main() {
	code := run(filepath.Base(os.Args[0]))
	if code < 0 && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		code = run(os.Args[0])
	}
	if code < 0 {
		fmt.Fprintln(os.Stderr, "usage: controlplane etcd|kube-apiserver|kube-controller-manager [flags]")
		code = 2
	}
	os.Exit(code)
}
