package expiry

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Policy is a lifecycle policy, its rules by priority. It is immutable.
type Policy struct {
	Rules []Rule `json:"rules"`
}

// Rule selects images, and lets go those that are too many or too old.
type Rule struct {
	Priority    int       `json:"rulePriority"`
	Description string    `json:"description,omitempty"`
	Selection   Selection `json:"selection"`
	Action      Action    `json:"action"`
}

// Selection says which images a rule is about, and how many or how old they may be.
type Selection struct {
	TagStatus   string   `json:"tagStatus"` // tagged, untagged or any
	TagPatterns []string `json:"tagPatternList,omitempty"`
	TagPrefixes []string `json:"tagPrefixList,omitempty"`
	Class       string   `json:"storageClass,omitempty"` // standard, which "" is too, or archive
	CountType   string   `json:"countType"`              // imageCountMoreThan, sinceImagePushed, sinceImagePulled or sinceImageTransitioned
	CountUnit   string   `json:"countUnit,omitempty"`    // days, with all but imageCountMoreThan
	CountNumber int      `json:"countNumber"`
}

func (s *Selection) class() string { return cmp.Or(s.Class, standard) }

// Action is what happens to such images: they expire, or go into the archive.
type Action struct {
	Type   string `json:"type"`                         // expire or transition
	Target string `json:"targetStorageClass,omitempty"` // archive, with transition
}

// The words of the language.
const (
	tagged   = "tagged"
	untagged = "untagged"
	anyTag   = "any"

	moreThan          = "imageCountMoreThan"
	sincePushed       = "sinceImagePushed"
	sincePulled       = "sinceImagePulled"
	sinceTransitioned = "sinceImageTransitioned"

	standard = "standard"
	archive  = "archive"

	expire     = "expire"
	transition = "transition"
)

// What policies are held to [D].
const (
	maxRules = 50
	maxStars = 4 // of a pattern

	minArchived = 90 // days
)

// Parse reads a policy. Its error is a *model.Error, InvalidParameterException with the words of the schema that ECR checks
// policies with [O].
func Parse(text string) (*Policy, error) {
	if err := checkShape(text); err != nil {
		return nil, err
	}
	p := &Policy{}
	if err := json.Unmarshal([]byte(text), p); err != nil {
		return nil, errNoPolicy()
	}
	slices.SortStableFunc(p.Rules, func(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return p, p.check()
}

// Text is the policy as ECR shows it: rules by priority, without white space [O].
func (p *Policy) Text() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("expiry: " + err.Error()) // a struct of strings and numbers
	}
	return string(b)
}

// check refuses rules that do not go together.
func (p *Policy) check() error {
	lists := map[string]int{}
	bare := map[string]int{} // rules about untagged images, by storage class
	for i, r := range p.Rules {
		s := r.Selection
		listed := len(s.TagPatterns)+len(s.TagPrefixes) > 0
		switch {
		case i > 0 && p.Rules[i-1].Priority == r.Priority:
			return failure("Duplicate rulePriority: %d", r.Priority) // [I] the words
		case s.TagStatus == tagged && !listed:
			return failure("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.") // [O]
		case s.TagStatus != tagged && listed:
			return failure("Cannot specify tagPrefixList or tagPatternList unless tagStatus=TAGGED.") // [I] the words
		case len(s.TagPatterns) > 0 && len(s.TagPrefixes) > 0:
			return failure("Cannot specify both tagPrefixList and tagPatternList.") // [I] the words
		case s.TagStatus == anyTag && slices.ContainsFunc(p.Rules[i+1:], func(r Rule) bool { return r.Selection.class() == s.class() }):
			return failure("Rule for tagStatus=ANY must have the lowest priority per storage class") // [O]
		}
		if s.TagStatus == untagged {
			if bare[s.class()]++; bare[s.class()] > 1 {
				return failure("Only one rule can select Untagged images per storage class") // [O]
			}
		}
		if err := alone(lists, i, &s, "prefix", s.TagPrefixes); err != nil {
			return err
		}
		if err := alone(lists, i, &s, "pattern", s.TagPatterns); err != nil {
			return err
		}
	}
	return nil
}

// alone: no two rules about one storage class may name the same prefix or pattern. Lists remembers which rule named which.
func alone(lists map[string]int, rule int, s *Selection, kind string, tags []string) error {
	for _, tag := range tags {
		key := s.class() + " " + kind + " " + tag
		if before, ok := lists[key]; ok && before != rule {
			return failure("The tag %s '%s' is in more than one rule.", kind, tag) // [D] the rule, [I] the words
		}
		lists[key] = rule
	}
	return nil
}
