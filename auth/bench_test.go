package auth_test

import (
	"strings"
	"testing"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
)

// BenchmarkVerify: the reference is 5-9 us for a typical request.
func BenchmarkVerify(b *testing.B) {
	for _, c := range []struct {
		name string
		keys int // distinct access keys do not matter; a key not cached does
	}{{"cached", 0}, {"fresh", 1}} {
		b.Run(c.name, func(b *testing.B) {
			r, v := signedECS(b), newVerifier(now)
			b.ReportAllocs()
			for b.Loop() {
				if c.keys > 0 {
					v = &auth.Verifier{Lookup: v.Lookup, Now: v.Now}
				}
				if _, err := v.Verify(r, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifySealed is BenchmarkVerify/cached with a secret that is opened for each request.
func BenchmarkVerifySealed(b *testing.B) {
	s := newSealer(b)
	row := auth.SealKey(s, model.AccessKey{ID: keyID, Secret: secret, Account: "000000000000", Kind: model.KeyRoot})
	r, v := signedECS(b), newVerifier(now)
	v.Lookup = func(string) (model.AccessKey, bool) {
		k, err := auth.OpenKey(s, row)
		return k, err == nil
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyPresigned(b *testing.B) {
	r, v := presignedSTS(b, "60"), newVerifier(now)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefuse is what a stranger can make us spend.
func BenchmarkRefuse(b *testing.B) {
	r, v := signedECS(b), newVerifier(now)
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), keyID, "AKIDUNKNOWN", 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, body); model.ErrorCode(err) != "UnrecognizedClientException" {
			b.Fatal(err)
		}
	}
}
