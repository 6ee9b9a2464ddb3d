package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/pki"
)

const signTimeout = 30 * time.Second

// Request asks the cluster for a client certificate and approves the request
// with the client's own rights, which must be an administrator's.
func Request(ctx context.Context, client kubernetes.Interface, user string, groups []string) (pki.Pair, error) {
	encoded, key, err := pki.NewRequest(user, groups...)
	if err != nil {
		return pki.Pair{}, err
	}
	requests := client.CertificatesV1().CertificateSigningRequests()
	request, err := requests.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "rune-user-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    encoded,
			SignerName: certificatesv1.KubeAPIServerClientSignerName,
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return pki.Pair{}, fmt.Errorf("requesting a certificate for user %q: %w", user, err)
	}
	request.Status.Conditions = append(request.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue,
		Reason: "TestUser", Message: "approved for a user of the test cluster",
	})
	if _, err := requests.UpdateApproval(ctx, request.Name, request, metav1.UpdateOptions{}); err != nil {
		return pki.Pair{}, fmt.Errorf("approving certificate request %q: %w", request.Name, err)
	}
	certificate, err := await(ctx, client, request.Name)
	if err != nil {
		return pki.Pair{}, err
	}
	if err := requests.Delete(ctx, request.Name, metav1.DeleteOptions{}); err != nil {
		return pki.Pair{}, fmt.Errorf("deleting certificate request %q: %w", request.Name, err)
	}
	return pki.Pair{Certificate: certificate, Key: key}, nil
}

// await waits until the cluster has signed the request.
func await(ctx context.Context, client kubernetes.Interface, name string) ([]byte, error) {
	var certificate []byte
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, signTimeout, true, func(ctx context.Context) (bool, error) {
		request, err := client.CertificatesV1().CertificateSigningRequests().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, condition := range request.Status.Conditions {
			if condition.Type == certificatesv1.CertificateDenied || condition.Type == certificatesv1.CertificateFailed {
				return false, errors.New(condition.Message)
			}
		}
		certificate = request.Status.Certificate
		return len(certificate) > 0, nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting until certificate request %q is signed: %w", name, err)
	}
	return certificate, nil
}
