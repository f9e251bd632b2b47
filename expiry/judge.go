package expiry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
)

// Image is one image of a repository.
type Image struct {
	Digest   string
	Tags     []string
	PushedAt time.Time
	// UsedAt is when it was last pulled; if it was restored from the archive or pushed later, then that.
	UsedAt     time.Time
	ArchivedAt time.Time // zero if it is not archived
	Parts      []string  // digests of the images of an index; nil for an image
}

// Verdict is what a policy says of one image.
type Verdict struct {
	Image
	Expires  bool
	Archives bool
	// Rule is the priority of the rule that the image belongs to: the first that selects its tags. 0 for none.
	Rule int
	Why  string // "older than 14 days"
}

// Judge says of all images whether they go, the oldest first. The rules of ECR [D]:
//
//   - all rules look at all images, and then the first rule whose selection has an image's tags decides about it alone; but
//     images that go by an earlier rule still count for a later one;
//   - a rule is about images of one storage class, and lets go the oldest first, or archives them;
//   - an image that an index refers to stays for as long as the index does.
func (p *Policy) Judge(images []Image, now time.Time) []Verdict {
	out := make([]Verdict, 0, len(images))
	for _, i := range images {
		out = append(out, Verdict{Image: i, Why: "no rule selects it"})
	}
	slices.SortFunc(out, func(a, b Verdict) int {
		return cmp.Or(a.PushedAt.Compare(b.PushedAt), strings.Compare(a.Digest, b.Digest))
	})
	held := map[string]bool{}
	for _, i := range images {
		for _, part := range i.Parts {
			held[part] = true
		}
	}
	for _, r := range p.Rules {
		r.judge(out, held, now)
	}
	return out
}

// judge decides about the images, the oldest first, that no earlier rule has decided about.
func (r *Rule) judge(images []Verdict, held map[string]bool, now time.Time) {
	younger := 0
	for n := len(images) - 1; n >= 0; n-- {
		v := &images[n]
		if !r.Selection.selects(&v.Image) {
			continue
		}
		over, why := r.Selection.over(younger, now.Sub(r.Selection.since(&v.Image)))
		younger++
		switch {
		case v.Rule != 0: // it only counts
		case over && held[v.Digest]:
			v.Rule, v.Why = r.Priority, "an index refers to it"
		default:
			v.Rule, v.Why = r.Priority, why
			v.Expires, v.Archives = over && r.Action.Type == expire, over && r.Action.Type == transition
		}
	}
}

// over says whether an image is too many or too old, given how many of the selected ones are younger, and its age.
func (s *Selection) over(younger int, age time.Duration) (bool, string) {
	if s.CountType == moreThan {
		return younger >= s.CountNumber, fmt.Sprintf("number %d of %d", younger+1, s.CountNumber)
	}
	what := map[string]string{sincePushed: "older than %d days", sincePulled: "unused for %d days", sinceTransitioned: "archived for %d days"}[s.CountType]
	why := fmt.Sprintf(what, s.CountNumber)
	if age > time.Duration(s.CountNumber)*24*time.Hour {
		return true, why
	}
	return false, "not " + why
}

// since is the time that the rule counts from.
func (s *Selection) since(i *Image) time.Time {
	switch s.CountType {
	case sincePulled:
		return i.UsedAt
	case sinceTransitioned:
		return i.ArchivedAt
	}
	return i.PushedAt
}

// selects says whether the rule is about an image: it has to be of its storage class, and each entry of a list has to be met by one of its
// tags [D].
func (s *Selection) selects(i *Image) bool {
	if (s.class() == archive) == i.ArchivedAt.IsZero() {
		return false
	}
	tags := i.Tags
	switch s.TagStatus {
	case untagged:
		return len(tags) == 0
	case anyTag:
		return true
	}
	for _, prefix := range s.TagPrefixes {
		if !slices.ContainsFunc(tags, func(tag string) bool { return strings.HasPrefix(tag, prefix) }) {
			return false
		}
	}
	for _, pattern := range s.TagPatterns {
		if !slices.ContainsFunc(tags, func(tag string) bool { return model.MatchTag(pattern, tag) }) {
			return false
		}
	}
	return len(tags) > 0
}
