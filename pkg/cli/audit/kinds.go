package audit

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// podKind is listed last: pods are rolled up to what was listed before.
func podKind() kind {
	return kind{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, resource: "pods"}
}

// builtInKinds with a pod template, owners before what they own.
func builtInKinds() []kind {
	of := func(group, name, resource string) kind {
		return kind{GroupVersionKind: schema.GroupVersionKind{Group: group, Version: "v1", Kind: name}, resource: resource}
	}
	return []kind{
		of("apps", "Deployment", "deployments"),
		of("apps", "StatefulSet", "statefulsets"),
		of("apps", "DaemonSet", "daemonsets"),
		of("batch", "CronJob", "cronjobs"),
		of("batch", "Job", "jobs"),
		of("apps", "ReplicaSet", "replicasets"),
		of("", "ReplicationController", "replicationcontrollers"),
	}
}

// groups finds out once which groups are served, and in which version.
type groups struct {
	discovery discovery.DiscoveryInterface
	served    *metav1.APIGroupList
}

// version that the API server prefers for a group, "" where the group is not served.
func (g *groups) version(group string) (string, error) {
	if g.served == nil {
		served, err := g.discovery.ServerGroups()
		if err != nil {
			return "", fmt.Errorf("asking the API server which groups it serves: %w", err)
		}
		g.served = served
	}
	for i := range g.served.Groups {
		if g.served.Groups[i].Name == group {
			return g.served.Groups[i].PreferredVersion.Version, nil
		}
	}
	return "", nil
}

// kindsOf an Environment: those that it declares, which may own built-in ones, and the built-in ones. Of a
// group that is not served there can be no objects.
func (g *groups) kindsOf(environment *v1alpha1.Environment) ([]kind, error) {
	var kinds []kind
	declared := slices.Clone(environment.Spec.WorkloadKinds)
	slices.SortFunc(declared, func(a, b v1alpha1.WorkloadKind) int {
		return strings.Compare(a.Kind+"."+a.Group, b.Kind+"."+b.Group)
	})
	for _, each := range declared {
		version, err := g.version(each.Group)
		if err != nil {
			return nil, err
		}
		if version != "" {
			gvk := schema.GroupVersionKind{Group: each.Group, Version: version, Kind: each.Kind}
			kinds = append(kinds, kind{GroupVersionKind: gvk, resource: each.Resource, declared: true})
		}
	}
	return append(kinds, builtInKinds()...), nil
}
