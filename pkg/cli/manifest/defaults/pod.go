package defaults

import (
	"maps"
	"slices"
	"strings"
)

// containerLists are the lists of containers of a pod.
func containerLists() []string {
	return []string{"containers", "initContainers", "ephemeralContainers"}
}

// pod completes the spec of a Pod: what a template gets, and what only a Pod does.
func pod(spec object) {
	if spec == nil {
		return
	}
	podSpec(spec)
	if period, ok := spec["terminationGracePeriodSeconds"].(int64); ok && period < 0 {
		spec["terminationGracePeriodSeconds"] = int64(1)
	}
	unset(spec, "enableServiceLinks", true)
	for _, list := range []string{"containers", "initContainers"} {
		for _, container := range items(spec, list) {
			requestLimits(child(container, "resources"))
			if spec["hostNetwork"] != true {
				continue
			}
			for _, port := range items(container, "ports") {
				empty(port, "hostPort", port["containerPort"])
			}
		}
	}
}

// requestLimits requests what is limited and not requested.
func requestLimits(resources object) {
	limits := child(resources, "limits")
	if limits == nil {
		return
	}
	requests := made(resources, "requests")
	for name, limit := range limits {
		if _, requested := requests[name]; requests != nil && !requested {
			requests[name] = limit
		}
	}
}

// podSpec completes what Pods and templates have in common.
func podSpec(spec object) {
	if spec == nil {
		return
	}
	account := spec["serviceAccountName"]
	if account == nil || account == "" {
		account = spec["serviceAccount"]
	}
	if account != nil && account != "" {
		spec["serviceAccountName"], spec["serviceAccount"] = account, account
	}
	empty(spec, "dnsPolicy", "ClusterFirst")
	empty(spec, "restartPolicy", "Always")
	made(spec, "securityContext")
	unset(spec, "terminationGracePeriodSeconds", int64(30))
	empty(spec, "schedulerName", "default-scheduler")
	quantities(child(spec, "overhead"))
	resources(child(spec, "resources"))
	for _, one := range items(spec, "volumes") {
		volume(one)
	}
	for _, list := range containerLists() {
		for _, one := range items(spec, list) {
			container(one)
		}
	}
}

func container(c object) {
	image, _ := c["image"].(string)
	empty(c, "imagePullPolicy", pullPolicy(image))
	empty(c, "terminationMessagePath", "/dev/termination-log")
	empty(c, "terminationMessagePolicy", "File")
	resources(made(c, "resources"))
	for _, port := range items(c, "ports") {
		empty(port, "protocol", "TCP")
	}
	for _, variable := range items(c, "env") {
		from := child(variable, "valueFrom")
		fieldRef(from)
		unset(child(from, "fileKeyRef"), "optional", false)
		divisor(from)
	}
	for _, name := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
		probe(child(c, name))
	}
	lifecycle := child(c, "lifecycle")
	for _, name := range []string{"postStart", "preStop"} {
		httpGet(child(lifecycle, name))
	}
}

// pullPolicy is Always for an image whose tag is latest, written or meant.
func pullPolicy(reference string) string {
	name, _, digested := strings.Cut(reference, "@")
	tag := ""
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		tag = name[colon+1:]
	} else if !digested && name != "" {
		tag = "latest"
	}
	if tag == "latest" {
		return "Always"
	}
	return "IfNotPresent"
}

func probe(p object) {
	if p == nil {
		return
	}
	empty(p, "timeoutSeconds", int64(1))
	empty(p, "periodSeconds", int64(10))
	empty(p, "successThreshold", int64(1))
	empty(p, "failureThreshold", int64(3))
	httpGet(p)
	unset(child(p, "grpc"), "service", "")
}

func httpGet(handler object) {
	action := child(handler, "httpGet")
	empty(action, "path", "/")
	empty(action, "scheme", "HTTP")
}

func fieldRef(from object) { empty(child(from, "fieldRef"), "apiVersion", "v1") }

// volume completes one volume; of one without a source an API server makes an empty directory.
func volume(v object) {
	if !slices.ContainsFunc(slices.Collect(maps.Keys(v)), func(name string) bool { return name != "name" && v[name] != nil }) {
		v["emptyDir"] = object{}
	}
	quantity(child(v, "emptyDir"), "sizeLimit")
	unset(child(v, "hostPath"), "type", "")
	empty(child(v, "iscsi"), "iscsiInterface", "default")
	if image := child(v, "image"); image != nil {
		reference, _ := image["reference"].(string)
		empty(image, "pullPolicy", pullPolicy(reference))
	}
	for _, name := range []string{"secret", "configMap", "downwardAPI", "projected"} {
		unset(child(v, name), "defaultMode", int64(0o644))
	}
	downward(child(v, "downwardAPI"))
	for _, source := range items(child(v, "projected"), "sources") {
		downward(child(source, "downwardAPI"))
		unset(child(source, "serviceAccountToken"), "expirationSeconds", int64(3600))
	}
	if claim := child(child(v, "ephemeral"), "volumeClaimTemplate"); claim != nil {
		made(claim, "metadata")
		claimSpec(child(claim, "spec"))
	}
	remoteVolume(v)
}

func downward(source object) {
	for _, item := range items(source, "items") {
		fieldRef(item)
		divisor(item)
	}
}

// remoteVolume completes the volumes of vendors.
func remoteVolume(v object) {
	rbd := child(v, "rbd")
	empty(rbd, "pool", "rbd")
	empty(rbd, "user", "admin")
	empty(rbd, "keyring", "/etc/ceph/keyring")
	azure := child(v, "azureDisk")
	unset(azure, "cachingMode", "ReadWrite")
	unset(azure, "fsType", "ext4")
	unset(azure, "readOnly", false)
	unset(azure, "kind", "Shared")
	scale := child(v, "scaleIO")
	empty(scale, "storageMode", "ThinProvisioned")
	empty(scale, "fsType", "xfs")
}

func claimSpec(spec object) {
	unset(spec, "volumeMode", "Filesystem")
	resources(made(spec, "resources"))
}
