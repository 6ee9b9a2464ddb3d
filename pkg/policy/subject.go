package policy

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

// Subject is what is judged: a Pod, or the pod template of a workload.
type Subject struct {
	Kind      schema.GroupKind
	Namespace string
	Name      string
	// Object is the whole object in JSON.
	Object json.RawMessage
	// TemplatePath is the field path of the pod template: "spec.template"; empty for a Pod.
	TemplatePath string
	// Template as it stands in the object, with all fields, also those that this program's types do not know.
	Template json.RawMessage
	// ObjectMeta of the whole object, without managedFields; of a Pod it is Metadata.
	ObjectMeta metav1.ObjectMeta
	// Metadata and Spec of the pod or template, without managedFields.
	Metadata metav1.ObjectMeta
	Spec     corev1.PodSpec
	// Settled holds the fields of images that the same Pod runs already. An update of a Pod is not judged by what it does not change.
	Settled map[string]bool
}

// kindPod is the one kind that is judged itself and not by a template.
func kindPod() schema.GroupKind { return schema.GroupKind{Kind: "Pod"} }

// templateFields returns the path from an object's root to its pod template: empty for a Pod; ok is
// false for kinds that hold none.
func templateFields(kind schema.GroupKind) (path []string, ok bool) {
	switch kind {
	case kindPod():
		return nil, true
	case schema.GroupKind{Group: "apps", Kind: "Deployment"},
		schema.GroupKind{Group: "apps", Kind: "ReplicaSet"},
		schema.GroupKind{Group: "apps", Kind: "StatefulSet"},
		schema.GroupKind{Group: "apps", Kind: "DaemonSet"},
		schema.GroupKind{Group: "batch", Kind: "Job"},
		schema.GroupKind{Kind: "ReplicationController"}:
		return []string{"spec", "template"}, true
	case schema.GroupKind{Group: "batch", Kind: "CronJob"}:
		return []string{"spec", "jobTemplate", "spec", "template"}, true
	}
	return nil, false
}

// Covers tells whether objects of a kind have pods to judge.
func Covers(kind schema.GroupKind) bool {
	_, ok := templateFields(kind)
	return ok
}

// NewSubject reads the subject out of an object in JSON. Keys are case-sensitive, as they are for the
// API server. Its errors mean that the object cannot be judged.
func NewSubject(kind schema.GroupKind, object []byte) (*Subject, error) {
	path, ok := templateFields(kind)
	if !ok {
		return nil, fmt.Errorf("reading %s: this kind holds no pod template that is judged", kind.Kind)
	}
	return newSubject(kind, path, object)
}

// newSubject reads a pod template at a path of field names; an empty path is the object itself. Nothing is
// decoded but metadata and the template.
func newSubject(kind schema.GroupKind, path []string, object []byte) (*Subject, error) {
	subject := &Subject{Kind: kind, Object: object, Template: object}
	if len(path) == 0 {
		if err := subject.readTemplate(); err != nil {
			return nil, fmt.Errorf("reading %s: %w", kind.Kind, err)
		}
		subject.ObjectMeta = subject.Metadata
		subject.setName()
		return subject, nil
	}
	members, err := rawjson.Pick(object, "metadata")
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", kind.Kind, err)
	}
	if err := readMetadata(members[0], &subject.ObjectMeta); err != nil {
		return nil, fmt.Errorf("reading metadata of %s: %w", kind.Kind, err)
	}
	subject.setName()
	for _, field := range path {
		if members, err = rawjson.Pick(subject.Template, field); err != nil {
			return nil, fmt.Errorf("reading the pod template of %s %q: %w", kind.Kind, subject.Name, err)
		}
		if members[0] == nil {
			return nil, fmt.Errorf("reading the pod template of %s %q: field %q is absent", kind.Kind, subject.Name, field)
		}
		subject.Template = members[0]
	}
	subject.TemplatePath = strings.Join(path, ".")
	if err := subject.readTemplate(); err != nil {
		return nil, fmt.Errorf("reading the pod template of %s %q: %w", kind.Kind, subject.Name, err)
	}
	return subject, nil
}

func (s *Subject) setName() {
	s.Namespace, s.Name = s.ObjectMeta.Namespace, s.ObjectMeta.Name
	if s.Name == "" {
		s.Name = s.ObjectMeta.GenerateName
	}
}

// NewTemplate reads a pod template that stands at a field path of an object of any kind: "spec.to".
func NewTemplate(path string, template json.RawMessage) (*Subject, error) {
	subject := &Subject{TemplatePath: path, Template: template}
	if err := subject.readTemplate(); err != nil {
		return nil, fmt.Errorf("reading the pod template in %s: %w", path, err)
	}
	return subject, nil
}

// readTemplate reads metadata and spec out of the template.
func (s *Subject) readTemplate() error {
	members, err := rawjson.Pick(s.Template, "metadata", "spec")
	if err != nil {
		return err
	}
	s.Metadata, s.Spec = metav1.ObjectMeta{}, corev1.PodSpec{}
	if err := readMetadata(members[0], &s.Metadata); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	if members[1] == nil {
		return nil
	}
	if err := rawjson.CheckExponents(members[1]); err != nil {
		return fmt.Errorf("spec.%w", err)
	}
	if err := checkSize(members[1]); err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	if err := utiljson.Unmarshal(members[1], &s.Spec); err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	return nil
}

// readMetadata leaves out managedFields, which are longer than all the rest and never judged.
func readMetadata(raw []byte, metadata *metav1.ObjectMeta) error {
	if raw == nil || string(raw) == "null" {
		return nil
	}
	rest, _, err := rawjson.Cut(raw, "managedFields")
	if err != nil {
		return err
	}
	return utiljson.Unmarshal(rest, metadata)
}

// IsPod tells whether the subject is a Pod itself.
func (s *Subject) IsPod() bool { return s.Kind == kindPod() }

// String names the subject to people: `Deployment "web"`.
func (s *Subject) String() string { return fmt.Sprintf("%s %q", s.Kind.Kind, s.Name) }

// Field returns the path from the object's root of a field of the pod or template.
func (s *Subject) Field(path string) string { return join(s.TemplatePath, path) }

func join(prefix, path string) string {
	if prefix == "" {
		return path
	}
	return prefix + "." + path
}
