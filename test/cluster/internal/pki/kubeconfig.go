package pki

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// WriteKubeconfig writes a kubeconfig with one context, named after the
// cluster, with everything embedded.
func WriteKubeconfig(path, cluster, server string, authority []byte, user string, pair Pair) error {
	return writeConfig(path, cluster, user, &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: authority}, pair)
}

// WriteUserKubeconfig writes a kubeconfig like the one at base, with its
// current cluster, for another user.
func WriteUserKubeconfig(path, base, user string, pair Pair) error {
	config, err := clientcmd.LoadFromFile(base)
	if err != nil {
		return fmt.Errorf("reading %s: %w", base, err)
	}
	current := config.Contexts[config.CurrentContext]
	if current == nil || config.Clusters[current.Cluster] == nil {
		return fmt.Errorf("reading %s: its current context %q names no cluster", base, config.CurrentContext)
	}
	cluster := config.Clusters[current.Cluster]
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return fmt.Errorf("embedding the files that %s names: %w", base, err)
	}
	return writeConfig(path, current.Cluster, user, cluster, pair)
}

func writeConfig(path, name, user string, cluster *clientcmdapi.Cluster, pair Pair) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = cluster
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: pair.Certificate, ClientKeyData: pair.Key}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	config.CurrentContext = name
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
