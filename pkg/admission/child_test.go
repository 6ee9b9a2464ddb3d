package admission_test

import (
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func controller(name string) authenticationv1.UserInfo {
	return user("system:serviceaccount:kube-system:"+name, "system:serviceaccounts", "system:serviceaccounts:kube-system")
}

// child is a Pod of ReplicaSet web-abc, as its controller and the pinning made it.
func child() []byte {
	return podOf("r.local/web:v1@"+digestOne, ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1"))
}

func TestChildrenOfJudgedOwnersNeedNoApproval(t *testing.T) {
	volumes := `{"containers":[{"name":"app","image":"r.local/web:v1"}],"volumes":[%s]}`
	tests := map[string]struct {
		owner  []byte
		object []byte
		user   authenticationv1.UserInfo
		extra  []byte
	}{
		"a Pod of a ReplicaSet": {
			owner: object("apps/v1", "ReplicaSet", "web-abc", "rs1", template("r.local/web:v1")), object: child(), user: controller("replicaset-controller")},
		"a Pod made by kube-controller-manager without service accounts": {
			owner: object("apps/v1", "ReplicaSet", "web-abc", "rs1", template("r.local/web:v1")), object: child(), user: user("system:kube-controller-manager")},
		"a Pod with an injected sidecar": {
			owner: object("apps/v1", "ReplicaSet", "web-abc", "rs1", template("r.local/web:v1")),
			object: pod(`{"containers":[{"name":"app","image":"r.local/web:v1"},{"name":"proxy","image":"r.local/proxy"}],"volumes":[{"name":"token"}]}`,
				ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1")), user: controller("replicaset-controller")},
		"a Pod of a DaemonSet": {
			owner:  object("apps/v1", "DaemonSet", "agent", "ds1", template("r.local/web:v1")),
			object: podOf("r.local/web:v1", ownedBy("apps/v1", "DaemonSet", "agent", "ds1")), user: controller("daemon-set-controller")},
		"a Pod of a ReplicationController": {
			owner:  object("v1", "ReplicationController", "old", "rc1", template("r.local/web:v1")),
			object: podOf("r.local/web:v1", ownedBy("v1", "ReplicationController", "old", "rc1")), user: controller("replication-controller")},
		"a Pod of a Job": {
			owner:  object("batch/v1", "Job", "migrate", "j1", template("r.local/web:v1")),
			object: podOf("r.local/web:v1", ownedBy("batch/v1", "Job", "migrate", "j1")), user: controller("job-controller")},
		"a Pod of a StatefulSet with its own claim": {
			owner: fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db","namespace":"prod","uid":"s1"},"spec":{"volumeClaimTemplates":[{"metadata":{"name":"data"}}],"template":{"spec":%s}}}`,
				fmt.Sprintf(volumes, `{"name":"data","emptyDir":{}}`)),
			object: pod(fmt.Sprintf(volumes, `{"name":"data","persistentVolumeClaim":{"claimName":"data-db-0"}}`),
				ownedBy("apps/v1", "StatefulSet", "db", "s1")), user: controller("statefulset-controller")},
		"a Pod of a StatefulSet that the update has not reached": {
			owner:  object("apps/v1", "StatefulSet", "db", "s1", template("r.local/web:v2")),
			object: podOf("r.local/web:v1", ownedBy("apps/v1", "StatefulSet", "db", "s1"), `"labels":{"controller-revision-hash":"db-1"}`),
			user:   controller("statefulset-controller"),
			extra: fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"db-1","namespace":"prod",%s},"data":{"spec":{"template":{"$patch":"replace",%s}}}`,
				ownedBy("apps/v1", "StatefulSet", "db", "s1"), template("r.local/web:v1")[1:])},
		"a ReplicaSet of a Deployment": {
			owner: deployment("web", "d1", template("r.local/web:v1")),
			object: object("apps/v1", "ReplicaSet", "web-abc", "", `{"metadata":{"labels":{"app":"web","pod-template-hash":"abc"}},"spec":{"containers":[{"name":"app","image":"r.local/web:v1","fieldOfTheFuture":7}]}}`,
				ownedBy("apps/v1", "Deployment", "web", "d1")), user: controller("deployment-controller")},
		"a Job of a CronJob, labeled by the API server": {
			owner: object("batch/v1", "CronJob", "report", "c1", `{"spec":{"containers":[{"name":"app","image":"r.local/web:v1"}]}}`),
			object: object("batch/v1", "Job", "report-1", "", `{"metadata":{"labels":{"controller-uid":"x","job-name":"report-1","batch.kubernetes.io/controller-uid":"x","batch.kubernetes.io/job-name":"report-1"}},"spec":{"containers":[{"name":"app","image":"r.local/web:v1"}]}}`,
				ownedBy("batch/v1", "CronJob", "report", "c1")), user: controller("cronjob-controller")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{}
			w.store(tt.owner)
			if tt.extra != nil {
				w.store(tt.extra)
			}
			requireAllowed(t, w.validate(review{object: tt.object, user: tt.user}))
			requireRefused(t, w.validate(review{object: tt.object, user: user("ann")}), "needs an approved Release")
		})
	}
}

func TestWhatOnlyLooksLikeAChildNeedsApproval(t *testing.T) {
	tests := map[string]struct {
		object  []byte
		user    authenticationv1.UserInfo
		change  func(w *world)
		refusal string
	}{
		"a person who claims an owner": {object: child(), user: user("ann"), refusal: "needs an approved Release"},
		"a service account named like the controller in another namespace": {
			object: child(), user: user("system:serviceaccount:prod:replicaset-controller", "system:serviceaccounts:prod"), refusal: "needs an approved Release"},
		"the controller's name without its group": {
			object: child(), user: user("system:serviceaccount:kube-system:replicaset-controller"), refusal: "needs an approved Release"},
		"the controller of another kind": {
			object: child(), user: controller("daemon-set-controller"), refusal: "needs an approved Release"},
		"the garbage collector": {
			object: child(), user: controller("generic-garbage-collector"), refusal: "needs an approved Release"},
		"a controller without an owner": {
			object: podOf("r.local/web:v1"), user: controller("replicaset-controller"), refusal: "needs an approved Release"},
		"an owner that is no controller": {
			object: podOf("r.local/web:v1", `"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-abc","uid":"rs1"}]`),
			user:   controller("replicaset-controller"), refusal: "needs an approved Release"},
		"an owner of another group": {
			object: podOf("r.local/web:v1", ownedBy("evil.org/v1", "ReplicaSet", "web-abc", "rs1")), user: controller("replicaset-controller"), refusal: "needs an approved Release"},
		"an owner that does not exist": {
			object: podOf("r.local/web:v1", ownedBy("apps/v1", "ReplicaSet", "ghost", "rs1")),
			user:   controller("replicaset-controller"), refusal: `its owner ReplicaSet "ghost" does not exist`},
		"an owner with another UID": {
			object: podOf("r.local/web:v1", ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs0")),
			user:   controller("replicaset-controller"), refusal: `has UID "rs1", not "rs0"`},
		"another image than the owner's": {
			object: podOf("r.local/bad:v1", ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1")),
			user:   controller("replicaset-controller"), refusal: "does not match the pod template of its owner"},
		"another tag than the owner's": {
			object: podOf("r.local/web:v2@"+digestOne, ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1")),
			user:   controller("replicaset-controller"), refusal: "does not match the pod template of its owner"},
		"another digest than the owner's": {
			object: podOf("r.local/web@"+digestTwo, ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1")),
			change: func(w *world) {
				w.store(object("apps/v1", "ReplicaSet", "web-abc", "rs1", template("r.local/web@"+digestOne)))
			},
			user: controller("replicaset-controller"), refusal: "does not match the pod template of its owner"},
		"another command than the owner's": {
			object: pod(`{"containers":[{"name":"app","image":"r.local/web:v1","command":["sh"]}]}`, ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1")),
			user:   controller("replicaset-controller"), refusal: "does not match the pod template of its owner"},
		"a container of the owner is missing": {
			object: pod(`{"containers":[{"name":"other","image":"r.local/web:v1"}]}`, ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1")),
			user:   controller("replicaset-controller"), refusal: "does not match the pod template of its owner"},
		"a volume of the owner is replaced": {
			object: pod(`{"containers":[{"name":"app","image":"r.local/web:v1"}],"volumes":[{"name":"v","hostPath":{"path":"/"}}]}`, ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1")),
			change: func(w *world) {
				w.store(object("apps/v1", "ReplicaSet", "web-abc", "rs1", `{"spec":{"containers":[{"name":"app","image":"r.local/web:v1"}],"volumes":[{"name":"v","emptyDir":{}}]}}`))
			},
			user: controller("replicaset-controller"), refusal: "does not match the pod template of its owner"},
		"a ReplicaSet with another template than its Deployment": {
			object: object("apps/v1", "ReplicaSet", "web-x", "", template("r.local/bad:v1"), ownedBy("apps/v1", "Deployment", "web", "d1")),
			user:   controller("deployment-controller"), refusal: "does not match the pod template of its owner"},
		"a Pod of a StatefulSet with a revision that it does not own": {
			object: podOf("r.local/bad:v1", ownedBy("apps/v1", "StatefulSet", "db", "s1"), `"labels":{"controller-revision-hash":"forged"}`),
			change: func(w *world) {
				w.store(object("apps/v1", "StatefulSet", "db", "s1", template("r.local/web:v1")))
				w.store(fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"forged","namespace":"prod"},"data":{"spec":{"template":%s}}}`, template("r.local/bad:v1")))
			},
			user: controller("statefulset-controller"), refusal: "does not match the pod template of its owner"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{}
			w.store(object("apps/v1", "ReplicaSet", "web-abc", "rs1", template("r.local/web:v1")))
			w.store(deployment("web", "d1", template("r.local/web:v1")))
			if tt.change != nil {
				tt.change(w)
			}
			requireRefused(t, w.validate(review{object: tt.object, user: tt.user}), tt.refusal, "[approval]")
		})
	}
}

func TestOnlyControllersWriteControllerRevisions(t *testing.T) {
	revision := func(image, more string) []byte {
		return fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"db-1","namespace":"prod"},%s"data":{"spec":{"template":%s}}}`, more, template(image))
	}
	tests := map[string]struct {
		review  review
		free    bool
		refused bool
	}{
		"its controller":                      {review: review{object: revision("r.local/web:v1", ""), user: controller("statefulset-controller")}},
		"a person":                            {review: review{object: revision("r.local/web:v1", ""), user: user("ann")}, refused: true},
		"a person where no approval is asked": {review: review{object: revision("r.local/web:v1", ""), user: user("ann")}, free: true},
		"a person who changes its data": {
			review: review{object: revision("r.local/bad:v1", ""), old: revision("r.local/web:v1", ""), user: user("ann")}, refused: true},
		"an update that leaves its data alone": {
			review: review{object: revision("r.local/web:v1", `"revision":2,`), old: revision("r.local/web:v1", `"revision":1,`), user: user("ann")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if !tt.free {
				w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{}
			}
			response := w.validate(tt.review)
			if tt.refused {
				requireRefused(t, response, "only its controller may write a ControllerRevision", "[approval]")
			} else {
				requireAllowed(t, response)
			}
		})
	}
}

func TestAPodRunsTheDigestOfItsOwnersTemplate(t *testing.T) {
	other := "r.local/other:v1@" + digestOne
	tests := map[string]struct {
		pod     string
		refused bool
	}{
		"the same reference":                      {pod: "r.local/web:v1@" + digestOne},
		"the same digest without the tag":         {pod: "r.local/web@" + digestOne},
		"what the tag names now":                  {pod: "r.local/web:v1@" + digestTwo, refused: true},
		"the tag alone":                           {pod: "r.local/web:v1", refused: true},
		"the same digest of another repository":   {pod: other, refused: true},
		"the same digest of another registry":     {pod: "elsewhere.org/web:v1@" + digestOne, refused: true},
		"a digest that only begins like the same": {pod: "r.local/web:v1@" + digestOne[:70], refused: true},
	}
	spec := map[string]string{
		"container":      `{"containers":[{"name":"app","image":%q}]}`,
		"init container": `{"containers":[],"initContainers":[{"name":"app","image":%q}]}`,
		"image volume":   `{"containers":[],"volumes":[{"name":"data","image":{"reference":%q}}]}`,
	}
	for name, tt := range tests {
		for place, format := range spec {
			t.Run(place+" "+name, func(t *testing.T) {
				w := newWorld(t)
				w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{}
				w.store(object("apps/v1", "ReplicaSet", "web-abc", "rs1", fmt.Sprintf(`{"spec":`+format+`}`, "r.local/web:v1@"+digestOne)))
				made := pod(fmt.Sprintf(format, tt.pod), ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1"))
				response := w.validate(review{object: made, user: controller("replicaset-controller")})
				if tt.refused {
					requireRefused(t, response, "does not match the pod template of its owner", "[approval]")
				} else {
					requireAllowed(t, response)
				}
			})
		}
	}
}
