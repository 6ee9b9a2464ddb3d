package events

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
)

// What every Event of a denial says.
const (
	// Reason of all Events.
	Reason = "PolicyViolation"
	// Action that was taken.
	Action = "Deny"
	// Controller that reports.
	Controller = "rune.runeframeos.com/webhook"
)

// maxNote and maxInstance are the API server's limits in bytes.
const (
	maxNote     = 1024
	maxInstance = 128
)

// key is what equal denials share.
type key struct {
	environment, kind, namespace, name, operation, note string
}

// denial is what the writer needs of one; the request itself is not kept.
type denial struct {
	key
	apiVersion string
	uid        types.UID
	at         time.Time
}

func newDenial(d admission.Denial, at time.Time) denial {
	request := d.Request
	head := headOf(request.Object.Raw)
	if head.UID == "" {
		head.UID = headOf(request.OldObject.Raw).UID
	}
	name := request.Name
	if name == "" {
		name = head.Name
	}
	if name == "" {
		// The API server has made no name of it yet, and never will.
		name = head.GenerateName
	}
	return denial{
		key: key{
			environment: d.Environment,
			kind:        request.Kind.Kind,
			namespace:   request.Namespace,
			name:        name,
			operation:   string(request.Operation),
			note:        cut(d.Message, maxNote),
		},
		apiVersion: metav1.GroupVersion{Group: request.Kind.Group, Version: request.Kind.Version}.String(),
		uid:        head.UID,
		at:         at,
	}
}

// head is the part of an object by which an Event refers to it.
type head struct {
	Name         string    `json:"name"`
	GenerateName string    `json:"generateName"`
	UID          types.UID `json:"uid"`
}

// headOf returns nothing where the object cannot be read: then the request alone tells what it is.
func headOf(raw []byte) head {
	var object struct {
		Metadata head `json:"metadata"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &object) != nil {
		return head{}
	}
	return object.Metadata
}

// event makes the Event. Its name is none that the refused object could spoil: that one's may be invalid.
func (d denial) event(instance string) *eventsv1.Event {
	namespace := d.namespace
	if namespace == "" {
		// That is where the API server wants Events about what has no namespace.
		namespace = metav1.NamespaceDefault
	}
	at, err := d.at.MarshalBinary()
	if err != nil {
		at = nil // a time that cannot be encoded makes a name that is only less likely to be new
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{
		instance, d.environment, d.kind, d.namespace, d.name, d.operation, d.note, string(at),
	}, "\x00")))
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      "rune-denied-" + hex.EncodeToString(sum[:10]),
		},
		EventTime:           metav1.NewMicroTime(d.at),
		ReportingController: Controller,
		ReportingInstance:   cut(instance, maxInstance),
		Action:              Action,
		Reason:              Reason,
		Type:                corev1.EventTypeWarning,
		Note:                d.note,
		Regarding: corev1.ObjectReference{
			APIVersion: d.apiVersion,
			Kind:       d.kind,
			Namespace:  d.namespace,
			Name:       d.name,
			UID:        d.uid,
		},
	}
}

// cut shortens a text to a number of bytes at a boundary of characters.
func cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "�")
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
