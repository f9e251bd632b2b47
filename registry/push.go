package registry

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/roadstead/roadstead/model"
)

// maxManifest is the largest manifest that is accepted, as ECR's quota.
const maxManifest = 4 << 20

// putManifest lets a pushed manifest through unless it would move a final tag.
func (p *Repository) putManifest(w http.ResponseWriter, r *http.Request, ref string) *refusal {
	// The whole body first: the lock is not held while a client dawdles.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		return &refusal{http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest cannot be read or is larger than 4 MiB"}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if url := strange(r.Header.Get("Content-Type"), body); url != "" { // to Distribution it would be an error of ours
		return &refusal{http.StatusBadRequest, "MANIFEST_INVALID", "a layer has an invalid URL: " + url}
	}
	if err := p.store.offer(r.Context(), r.Header.Get("Content-Type"), body); err != nil {
		return unavailable(err)
	}
	made := digest.FromBytes(body)
	answer := &answer{header: http.Header{}, status: http.StatusOK}
	err = p.change(r.Context(), func(row *model.Repository) ([]digest.Digest, error) {
		if !strings.Contains(ref, ":") && row.Final(ref) {
			if has, ok := p.tagged(r.Context(), ref); ok && has != made {
				return nil, errTagFinal(p.name, ref)
			}
		}
		if p.store.distribute(answer, r); answer.status >= 300 {
			return nil, errAnswered
		}
		return []digest.Digest{made}, nil
	})
	switch {
	case model.ErrorCode(err) == "ImageTagAlreadyExistsException":
		return &refusal{http.StatusBadRequest, "TAG_INVALID", errTagFinal(p.name, ref).Message}
	case model.ErrorCode(err) == "RepositoryNotFoundException":
		return &refusal{http.StatusNotFound, "NAME_UNKNOWN", errNoRepository(p.scope, p.name).Message}
	case err != nil && !errors.Is(err, errAnswered):
		return unavailable(err)
	}
	if subject := subjectOf(body); subject != "" {
		answer.header.Set("OCI-Subject", subject) // so clients see that they need no tag for it
	}
	maps.Copy(w.Header(), answer.header)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes()) // a client that is gone cannot be told
	return nil
}

// answer is what Distribution wants to say, to be said when it is true.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// errAnswered ends a change that Distribution has refused.
var errAnswered = errors.New("refused")
