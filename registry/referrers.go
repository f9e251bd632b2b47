package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/roadstead/roadstead/model"
)

// Referrer is an image that says that it is about another one: a signature, a list of parts, a proof of where it comes from.
type Referrer struct {
	Digest       string
	MediaType    string
	ArtifactType string
	Size         int64 // of its manifest, bytes
	Annotations  map[string]string
	PushedAt     model.Millis
}

// about is what a manifest says of that.
type about struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Annotations  map[string]string `json:"annotations"`
	Config       struct {
		MediaType string `json:"mediaType"`
	} `json:"config"`
	Subject struct {
		Digest digest.Digest `json:"digest"`
	} `json:"subject"`
}

// Referrers lists the images of the repository that are about the one with the digest, which need not be there, by their digests.
func (p *Repository) Referrers(ctx context.Context, subject string) ([]Referrer, error) {
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	found := []Referrer{}
	for _, i := range l.Images {
		payload, err := p.store.driver.GetContent(ctx, blobPath(i.Digest))
		if notFound(err) {
			continue // deleted
		}
		if err != nil {
			return nil, fmt.Errorf("read manifest %s: %w", i.Digest, err)
		}
		var m about
		if json.Unmarshal(payload, &m) != nil || m.Subject.Digest == "" || m.Subject.Digest.String() != subject {
			continue
		}
		r := Referrer{Digest: i.Digest.String(), MediaType: sniffMediaType(payload), ArtifactType: m.ArtifactType, Size: int64(len(payload)), Annotations: m.Annotations, PushedAt: i.PushedAt}
		if r.ArtifactType == "" {
			r.ArtifactType = m.Config.MediaType
		}
		found = append(found, r)
	}
	return found, nil
}

// serveReferrers answers as the distribution specification says: with an index of them, one that is empty if there are none.
func (p *Repository) serveReferrers(w http.ResponseWriter, r *http.Request, subject string) *refusal {
	if r.Method != http.MethodGet {
		return &refusal{http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported."}
	}
	if digest.Digest(subject).Validate() != nil {
		return &refusal{http.StatusBadRequest, "DIGEST_INVALID", "the subject is no digest"}
	}
	all, err := p.Referrers(r.Context(), subject)
	if err != nil {
		return &refusal{http.StatusInternalServerError, "UNKNOWN", "internal error"}
	}
	index := v1.Index{MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{}}
	index.SchemaVersion = 2
	kind := r.URL.Query().Get("artifactType")
	for _, i := range all {
		if kind == "" || kind == i.ArtifactType {
			index.Manifests = append(index.Manifests, v1.Descriptor{
				MediaType: i.MediaType, Digest: digest.Digest(i.Digest), Size: i.Size, ArtifactType: i.ArtifactType, Annotations: i.Annotations,
			})
		}
	}
	if kind != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	w.Header().Set("Content-Type", v1.MediaTypeImageIndex)
	_ = json.NewEncoder(w).Encode(index) // a client that is gone cannot be told
	return nil
}

// subjectOf is the digest of the image that a manifest is about, "" for none.
func subjectOf(payload []byte) string {
	var m about
	if json.Unmarshal(payload, &m) != nil {
		return ""
	}
	return m.Subject.Digest.String()
}
