// Command kubernetes is the test cluster's one binary for etcd, the control
// plane and the node agents. It runs as the program named by the base
// of argv[0] or, when that is not one of them, by its first argument.
//
// One binary instead of six: they share almost all of their code, so the
// build takes a third of the time and the running text pages are shared.
// kubectl is built beside it, as people run it: its start-up is what the
// plugin's is measured against.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go metrics of the components
	_ "k8s.io/component-base/metrics/prometheus/version"  // kubernetes_build_info
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// commands names every program of this binary except etcd, which does not
// go through cli.Run.
func commands() map[string]func() *cobra.Command {
	return map[string]func() *cobra.Command{
		"kube-apiserver":          apiserver.NewAPIServerCommand,
		"kube-controller-manager": kcm.NewControllerManagerCommand,
		"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
		"kube-proxy":              proxy.NewProxyCommand,
		// Not a signal context: the kubelet registers for signals itself, and
		// registering twice panics.
		"kubelet": func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	}
}

func main() {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	if !run(name) {
		if len(os.Args) > 1 {
			os.Args = os.Args[1:]
			if run(os.Args[0]) {
				return
			}
		}
		fmt.Fprintln(os.Stderr, "usage: kubernetes etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|kubelet [flags]")
		os.Exit(2)
	}
}

// run runs the named program and reports whether there is one of that name.
func run(name string) bool {
	if name == "etcd" {
		etcdmain.Main(os.Args)
		return true
	}
	newCommand, ok := commands()[name]
	if !ok {
		return false
	}
	os.Exit(cli.Run(newCommand()))
	return true
}
