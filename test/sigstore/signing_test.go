//go:build sigstore

package sigstore_test

import "testing"

// TestSigning runs everything against one Sigstore: starting it takes longer than most questions.
func TestSigning(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]func(*testing.T){
		"cosign verifies what it signed":                       w.testCosignVerifiesWhatItSigned,
		"cosign refuses a signature by an expired certificate": w.testCosignRefusesASignatureByAnExpiredCertificate,
		"cosign 3 stamps what it does not verify":              w.testCosign3StampsWhatItDoesNotVerify,
		"matrix":                           w.testMatrix,
		"every entry of a log counts":      w.testEveryEntryOfALogCounts,
		"a statement is no signature":      w.testAStatementIsNoSignature,
		"witnesses that a policy requires": w.testWitnesses,
		"one witness is not the other":     w.testOneWitnessIsNotTheOther,
		"nobody borrows a promise":         w.testNobodyBorrowsAPromise,
		"formats add up":                   w.testFormatsAddUp,
		"conditions over what is attested": w.testConditions,
		"requests to a registry":           w.testRequests,
		"ready-made gates":                 w.testGates,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}
