package engine_test

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"encoding/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

const (
	startTime  = 700 * time.Millisecond
	orphanTime = 300 * time.Millisecond
	desired    = "deployment.kubernetes.io/desired-replicas"
)

func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(set))
}

func describe(c engine.Change) string {
	var parts []string
	if c.Template != nil {
		parts = append(parts, "template "+c.Template.Typed.Spec.Containers[0].Image)
	}
	if c.Replicas != nil {
		parts = append(parts, fmt.Sprintf("replicas %d", *c.Replicas))
	}
	if c.Paused != nil {
		parts = append(parts, fmt.Sprintf("paused %t", *c.Paused))
	}
	if c.Annotation != nil {
		parts = append(parts, "annotation "+*c.Annotation)
	}
	if c.GiveBack != nil {
		parts = append(parts, "give back")
	}
	return strings.Join(parts, ", ")
}

// change1 applies a change the way an API server does, field ownership included.
func change1(d *engine.Deployment, c engine.Change) error {
	if c.Template != nil {
		d.Template = *c.Template
		c.Template.Typed.DeepCopyInto(&d.Spec.Template)
	}
	if c.Edit != nil {
		before, err := json.Marshal(d.Deployment)
		if err != nil {
			return err
		}
		after, err := strategicpatch.StrategicMergePatch(before, c.Edit, appsv1.Deployment{})
		if err != nil {
			return err
		}
		d.Deployment = appsv1.Deployment{}
		if err := json.Unmarshal(after, &d.Deployment); err != nil {
			return err
		}
		if d.Template, err = release.TemplateOf(&d.Spec.Template); err != nil {
			return err
		}
	}
	if c.Replicas != nil {
		n := *c.Replicas
		d.Spec.Replicas = &n
	}
	if c.Paused != nil {
		d.Spec.Paused = *c.Paused
	}
	if c.Annotation != nil {
		if *c.Annotation == "" {
			delete(d.Annotations, v1alpha1.AnnotationRelease)
		} else {
			metav1.SetMetaDataAnnotation(&d.ObjectMeta, v1alpha1.AnnotationRelease, *c.Annotation)
		}
	}
	for i, ref := range d.OwnerReferences {
		if ref.UID == c.Disown {
			d.OwnerReferences = append(d.OwnerReferences[:i:i], d.OwnerReferences[i+1:]...)
			break
		}
	}
	if c.GiveBack != nil {
		d.ManagedFields = nil
		return json.Unmarshal(c.GiveBack, &d.ManagedFields)
	}
	for _, f := range d.ManagedFields {
		if f.Manager == v1alpha1.FieldManager {
			return nil
		}
	}
	d.ManagedFields = append(d.ManagedFields, metav1.ManagedFieldsEntry{Manager: v1alpha1.FieldManager, Operation: metav1.ManagedFieldsOperationUpdate})
	return nil
}

// settle lets the controllers work until nothing is left to do at this moment.
func (m *model) settle() {
	for range 50 {
		before := m.version
		for _, name := range sorted(m.deployments) {
			m.syncDeployment(m.deployments[name])
		}
		for _, name := range sorted(m.sets) {
			m.syncSet(m.sets[name])
		}
		if m.version == before {
			break
		}
	}
	n := 0
	for _, p := range m.pods {
		if ready(p) {
			n++
		}
	}
	if m.fewest >= 0 && n < m.fewest {
		m.fewest = n
	}
}

func sorted[T any](objects map[string]T) []string {
	names := make([]string, 0, len(objects))
	for name := range objects {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (m *model) syncDeployment(d *engine.Deployment) {
	if d.DeletionTimestamp != nil {
		m.collect(d)
		return
	}
	own := m.claim(d)
	fresh := newest(own, d)
	n := release.Replicas(&d.Deployment)
	if fresh == nil && !d.Spec.Paused {
		fresh = m.newSet(d)
		own = append(own, fresh)
	}
	if d.Spec.Paused {
		m.scalePaused(own, fresh, n)
	} else {
		m.roll(own, fresh, n)
	}
	m.status(d, own, fresh)
}

// claim adopts orphans that match the selector.
func (m *model) claim(d *engine.Deployment) []*appsv1.ReplicaSet {
	var own []*appsv1.ReplicaSet
	for _, name := range sorted(m.sets) {
		s := m.sets[name]
		if c := metav1.GetControllerOf(s); c == nil && matches(d.Spec.Selector, s.Labels) {
			s.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
			m.stamp(s)
		}
		if c := metav1.GetControllerOf(s); c != nil && c.UID == d.UID {
			own = append(own, s)
		}
	}
	return own
}

func newest(own []*appsv1.ReplicaSet, d *engine.Deployment) *appsv1.ReplicaSet {
	var found *appsv1.ReplicaSet
	for _, s := range own {
		// Of equal ones the oldest, as the Deployment controller chooses.
		if release.SameTemplate(&s.Spec.Template, &d.Spec.Template) && (found == nil || s.CreationTimestamp.Before(&found.CreationTimestamp)) {
			found = s
		}
	}
	return found
}

func (m *model) newSet(d *engine.Deployment) *appsv1.ReplicaSet {
	hash := strings.ReplaceAll(d.Spec.Template.Spec.Containers[0].Image, ":", "-")
	zero := int32(0)
	s := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: d.Namespace, Name: d.Name + "-" + hash, Labels: map[string]string{"pod-template-hash": hash}, Annotations: map[string]string{},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: &zero, Template: *d.Spec.Template.DeepCopy()},
	}
	for k, v := range d.Spec.Template.Labels {
		s.Labels[k] = v
	}
	s.Spec.Template.Labels = s.Labels
	s.Spec.Selector = &metav1.LabelSelector{MatchLabels: s.Labels}
	m.stamp(s)
	m.sets[s.Name] = s
	return s
}

func (m *model) resize(s *appsv1.ReplicaSet, size, n int32) {
	want := strconv.Itoa(int(n))
	if *s.Spec.Replicas == size && s.Annotations[desired] == want {
		return
	}
	s.Spec.Replicas = &size
	s.Annotations[desired] = want
	m.stamp(s)
}

// scalePaused is the Deployment controller's scale(): one active ReplicaSet follows the size, a
// saturated new one empties the others, anything else is scaled in proportion.
func (m *model) scalePaused(own []*appsv1.ReplicaSet, fresh *appsv1.ReplicaSet, n int32) {
	var active []*appsv1.ReplicaSet
	total := int32(0)
	for _, s := range own {
		if *s.Spec.Replicas > 0 {
			active = append(active, s)
			total += *s.Spec.Replicas
		}
	}
	switch {
	case len(active) == 1:
		m.resize(active[0], n, n)
	case len(active) == 0 && fresh != nil:
		m.resize(fresh, n, n)
	case len(active) == 0:
	case fresh != nil && *fresh.Spec.Replicas == n && fresh.Annotations[desired] == strconv.Itoa(int(n)) && fresh.Status.AvailableReplicas == n:
		for _, s := range own {
			if s != fresh {
				m.resize(s, 0, n)
			}
		}
	default:
		allowed := n + (n+3)/4
		for _, s := range active {
			m.resize(s, *s.Spec.Replicas*allowed/total, n)
		}
	}
}

// roll is a rolling update with maxSurge and maxUnavailable of 25 %.
func (m *model) roll(own []*appsv1.ReplicaSet, fresh *appsv1.ReplicaSet, n int32) {
	total, available := int32(0), int32(0)
	for _, s := range own {
		total += *s.Spec.Replicas
		available += s.Status.AvailableReplicas
	}
	room := n + (n+3)/4 - total
	switch size := *fresh.Spec.Replicas; {
	case size < n && room > 0:
		m.resize(fresh, min(n, size+room), n)
		return
	default:
		m.resize(fresh, min(size, n), n)
	}
	spare := available - (n - n/4)
	for _, s := range own {
		if s == fresh {
			continue
		}
		size := *s.Spec.Replicas
		unready := size - s.Status.AvailableReplicas
		gone := min(size, max(unready, 0)+max(spare, 0))
		m.resize(s, size-gone, n)
		spare -= max(gone-unready, 0)
	}
}

func (m *model) status(d *engine.Deployment, own []*appsv1.ReplicaSet, fresh *appsv1.ReplicaSet) {
	status := appsv1.DeploymentStatus{ObservedGeneration: d.Generation}
	for _, s := range own {
		status.Replicas += s.Status.Replicas
		status.ReadyReplicas += s.Status.ReadyReplicas
		status.AvailableReplicas += s.Status.AvailableReplicas
	}
	if fresh != nil {
		status.UpdatedReplicas = fresh.Status.Replicas
	}
	if fmt.Sprint(status) != fmt.Sprint(d.Status) {
		d.Status = status
		m.stamp(d)
	}
}

// collect is the garbage collector: an orphaning deletion lets go of the ReplicaSets after a while.
func (m *model) collect(d *engine.Deployment) {
	if time.Since(d.DeletionTimestamp.Time) < orphanTime {
		return
	}
	for name, s := range m.sets {
		if c := metav1.GetControllerOf(s); c == nil || c.UID != d.UID {
			continue
		}
		if d.Finalizers[0] == string(metav1.DeletePropagationOrphan) {
			s.OwnerReferences = nil
			m.stamp(s)
			continue
		}
		for podName, p := range m.pods {
			if metav1.GetControllerOf(p).UID == s.UID {
				delete(m.pods, podName)
			}
		}
		delete(m.sets, name)
	}
	delete(m.deployments, d.Name)
	m.version++
}

func (m *model) syncSet(s *appsv1.ReplicaSet) {
	var own []*corev1.Pod
	for _, name := range sorted(m.pods) {
		p := m.pods[name]
		if metav1.GetControllerOf(p).UID == s.UID {
			m.start(p)
			own = append(own, p)
		}
	}
	sort.SliceStable(own, func(i, j int) bool { return ready(own[i]) && !ready(own[j]) })
	for len(own) > int(*s.Spec.Replicas) {
		delete(m.pods, own[len(own)-1].Name)
		own = own[:len(own)-1]
		m.version++
	}
	for len(own) < int(*s.Spec.Replicas) {
		p := &corev1.Pod{ObjectMeta: *s.Spec.Template.ObjectMeta.DeepCopy(), Spec: *s.Spec.Template.Spec.DeepCopy()}
		p.Namespace, p.Labels = s.Namespace, s.Labels
		p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(s, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
		m.stamp(p)
		p.Name = fmt.Sprintf("%s-%s", s.Name, p.UID)
		m.pods[p.Name] = p
		m.started[p.Spec.Containers[0].Image]++
		own = append(own, p)
	}
	status := appsv1.ReplicaSetStatus{Replicas: int32(len(own))}
	for _, p := range own {
		if ready(p) {
			status.ReadyReplicas++
			status.AvailableReplicas++
		}
	}
	if fmt.Sprint(status) != fmt.Sprint(s.Status) {
		s.Status = status
		m.stamp(s)
	}
}

// start makes a pod ready after its start time, or shows why it cannot be.
func (m *model) start(p *corev1.Pod) {
	if len(p.Status.Conditions) > 0 || len(p.Status.ContainerStatuses) > 0 || time.Since(p.CreationTimestamp.Time) < startTime {
		return
	}
	m.version++
	if strings.HasSuffix(p.Spec.Containers[0].Image, "missing") {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "not found"}}}}
		return
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
}

func ready(p *corev1.Pod) bool {
	return len(p.Status.Conditions) > 0 && p.Status.Conditions[0].Status == corev1.ConditionTrue
}
