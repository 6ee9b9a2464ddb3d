package lifecycle

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/toolchain"
)

// adopt records a cluster that someone else runs. Nothing in it is changed.
func adopt(ctx context.Context, paths layout.Paths, info record.Info, progress io.Writer) (*record.Info, error) {
	kubeconfig, err := filepath.Abs(os.Getenv("E2E_KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	info.Kubeconfig, info.Registry = kubeconfig, os.Getenv("E2E_REGISTRY")
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading E2E_KUBECONFIG: %w", err)
	}
	info.Server = config.Host
	if err := awaitReady(ctx, &info, time.Minute); err != nil {
		return nil, fmt.Errorf("using the cluster of E2E_KUBECONFIG: %w", err)
	}
	client, err := clientOf(&info)
	if err != nil {
		return nil, err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("asking for the version of Kubernetes: %w", err)
	}
	info.KubernetesVersion = version.GitVersion
	if info.Kubectl, err = exec.LookPath("kubectl"); err != nil {
		cache, err := toolchain.NewCache(ctx, progress)
		if err != nil {
			return nil, err
		}
		binaries, err := cache.Ensure(ctx, "kubernetes")
		if err != nil {
			return nil, err
		}
		info.Kubectl = binaries["kubectl"]
	}
	if info.Registry == "" {
		fmt.Fprintln(progress, "E2E_REGISTRY is not set: images cannot be loaded into this cluster")
	}
	info.Ready = true
	return &info, record.Save(paths, &record.Record{Info: info})
}
