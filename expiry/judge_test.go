package expiry_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/expiry"
	"github.com/roadstead/roadstead/test/scenario"
)

var now = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

// [D] The evaluation rules of the ECR user guide ("Automate the cleanup of images by using lifecycle policies").
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txt", func(*testing.T) scenario.Verbs {
		var images []expiry.Image
		var policy expiry.Policy
		return scenario.Verbs{
			"image": func(c *scenario.Call) {
				ago := func(days int64) time.Time { return now.Add(-time.Duration(days) * 24 * time.Hour).Add(-time.Hour) }
				days := c.Int("days", 0)
				i := expiry.Image{Digest: c.Arg(), Tags: c.List("tags"), PushedAt: ago(days), UsedAt: ago(c.Int("used", days)), Parts: c.List("parts")}
				if days := c.Int("archived", -1); days >= 0 {
					i.ArchivedAt = ago(days)
				}
				images = append(images, i)
			},
			"rule": func(c *scenario.Call) {
				r := expiry.Rule{Priority: int(c.Int("priority", 1)), Action: expiry.Action{Type: "expire"}}
				s := &r.Selection
				s.TagStatus, s.TagPrefixes, s.TagPatterns = c.Arg(), c.List("prefixes"), c.List("patterns")
				s.CountType, s.CountNumber = "imageCountMoreThan", int(c.Int("keep", 0))
				for name, kind := range map[string]string{"days": "sinceImagePushed", "unused": "sinceImagePulled", "archived": "sinceImageTransitioned"} {
					if n := c.Int(name, 0); n > 0 {
						s.CountType, s.CountUnit, s.CountNumber = kind, "days", int(n)
					}
				}
				if s.CountType == "sinceImageTransitioned" {
					s.Class = "archive"
				}
				if c.Int("archive", 0) == 1 {
					r.Action = expiry.Action{Type: "transition", Target: "archive"}
				}
				policy.Rules = append(policy.Rules, r)
			},
			"judge": func(c *scenario.Call) {
				p, err := expiry.Parse(policy.Text())
				if err != nil {
					c.Fatal(err)
				}
				for _, v := range p.Judge(images, now) {
					word := "stays"
					if v.Expires {
						word = "goes "
					}
					if v.Archives {
						word = "rests"
					}
					c.Printf("%s %s %v rule=%d: %s", word, v.Digest, v.Tags, v.Rule, v.Why)
				}
			},
		}
	})
}

// [D] Whatever the rules and the images: one rule decides about an image, nothing that an index holds goes, an untouched image stays, and
// what goes is never younger than what stays in its rule.
func TestJudgeProperties(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		p, images := randomPolicy(t, r), randomImages(r)
		verdicts := p.Judge(images, now)
		if len(verdicts) != len(images) {
			t.Fatalf("seed %d: %d verdicts about %d images", seed, len(verdicts), len(images))
		}
		held := map[string]bool{}
		for _, i := range images {
			for _, part := range i.Parts {
				held[part] = true
			}
		}
		stays := map[int]time.Time{} // the oldest that stays, by rule
		for _, v := range verdicts { // the oldest first
			switch {
			case v.Expires && (v.Rule == 0 || held[v.Digest]):
				t.Fatalf("seed %d: %+v", seed, v)
			case v.Expires && !stays[v.Rule].IsZero() && stays[v.Rule].Before(v.PushedAt):
				t.Fatalf("seed %d: %+v goes, and one of %s stays", seed, v, stays[v.Rule])
			case !v.Expires && v.Rule != 0 && !held[v.Digest] && stays[v.Rule].IsZero():
				stays[v.Rule] = v.PushedAt
			}
		}
		shuffled := slices.Clone(images)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if a, b := fmt.Sprint(verdicts), fmt.Sprint(p.Judge(shuffled, now)); a != b {
			t.Fatalf("seed %d: the order of the images matters:\n%s\n%s", seed, a, b)
		}
	}
}

func randomImages(r *rand.Rand) []expiry.Image {
	var images []expiry.Image
	for i := range r.IntN(12) {
		image := expiry.Image{Digest: fmt.Sprintf("sha256:%02d", i), PushedAt: now.Add(-time.Duration(r.IntN(20*24)) * time.Hour)}
		for _, tag := range []string{"a1", "a2", "b1", "c"} {
			if r.IntN(3) == 0 {
				image.Tags = append(image.Tags, tag)
			}
		}
		if i > 0 && r.IntN(4) == 0 {
			image.Parts = []string{images[r.IntN(i)].Digest}
		}
		images = append(images, image)
	}
	return images
}

func randomPolicy(t *testing.T, r *rand.Rand) *expiry.Policy {
	t.Helper()
	rule := func(priority int, s expiry.Selection) expiry.Rule {
		s.CountType, s.CountNumber = "imageCountMoreThan", 1+r.IntN(4)
		if r.IntN(2) == 0 {
			s.CountType, s.CountUnit, s.CountNumber = "sinceImagePushed", "days", 1+r.IntN(15)
		}
		return expiry.Rule{Priority: priority, Selection: s, Action: expiry.Action{Type: "expire"}}
	}
	var p expiry.Policy
	for n, s := range []expiry.Selection{
		{TagStatus: "tagged", TagPrefixes: []string{"a"}}, {TagStatus: "untagged"},
		{TagStatus: "tagged", TagPatterns: []string{"*1", "*"}}, {TagStatus: "tagged", TagPrefixes: []string{"c"}}, {TagStatus: "any"},
	} {
		if r.IntN(3) > 0 || n == 4 {
			p.Rules = append(p.Rules, rule(10*n+1, s))
		}
	}
	parsed, err := expiry.Parse(p.Text())
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// What Text says, Parse reads as the same [O].
func FuzzParse(f *testing.F) {
	f.Add(valid)
	f.Add(`{"rules":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := expiry.Parse(text)
		if err != nil {
			return
		}
		if again, err := expiry.Parse(p.Text()); err != nil || again.Text() != p.Text() {
			t.Errorf("%s: %v", p.Text(), err)
		}
	})
}

const valid = `{"rules":[
 {"rulePriority":20,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}},
 {"rulePriority":1,"description":"old","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}
]}`

func TestParse(t *testing.T) {
	p, err := expiry.Parse(valid)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"rules":[{"rulePriority":1,"description":"old","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}},` +
		`{"rulePriority":20,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}}]}`
	if got := p.Text(); got != want || !json.Valid([]byte(got)) {
		t.Errorf("got %s", got)
	}
}

// [O] ECR checks against a schema, and says so in the schema's words.
func TestRefused(t *testing.T) {
	rule := func(priority, selection string) string {
		return `{"rulePriority":` + priority + `,"selection":` + selection + `,"action":{"type":"expire"}}`
	}
	rules := func(rs ...string) string { return `{"rules":[` + strings.Join(rs, ",") + `]}` }
	const some = `{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":3}`
	const bare = `{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":3}`
	archived := func(days string) string {
		return `{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":` + days + `}`
	}
	tagged := func(list string) string {
		return `{"tagStatus":"tagged",` + list + `"countType":"imageCountMoreThan","countNumber":3}`
	}
	for _, c := range []struct{ text, want string }{
		{``, "Could not map policyString into LifecyclePolicy."},
		{`[]`, "Could not map policyString into LifecyclePolicy."},
		{`{"rules":[]} x`, "Could not map policyString into LifecyclePolicy."},
		{`{}`, `object has missing required properties (["rules"])`},
		{`{"rules":{}}`, `instance type (object) does not match any allowed primitive type (allowed: ["array"])`},
		{`{"rules":[]}`, "array is too short: must have at least 1 elements but instance has 0 elements"},
		{`{"rules":[],"x":1}`, `object instance has properties which are not allowed by the schema: (["x"])`},
		{`{"rules":[1]}`, `instance type (integer) does not match any allowed primitive type (allowed: ["object"])`},
		{`{"rules":[{}]}`, `object has missing required properties (["action","rulePriority","selection"])`},
		{rules(rule(`"1"`, some)), `instance type (string) does not match any allowed primitive type (allowed: ["integer"])`},
		{rules(rule(`1.5`, some)), `instance type (number) does not match any allowed primitive type (allowed: ["integer"])`},
		{rules(rule(`0`, some)), "numeric instance is lower than the required minimum (minimum: 1, found: 0)"},
		{rules(rule(`1`, `null`)), "instance failed to match exactly one schema (matched 0 out of 4)"},
		{rules(rule(`1`, `{"tagStatus":"any","countType":"imageCountMoreThan","countUnit":null,"countNumber":3}`)), "instance failed to match exactly one schema (matched 0 out of 4)"},
		{rules(rule(`1`, `{"tagStatus":"any","countType":"sinceImagePushed","countNumber":3}`)), "instance failed to match exactly one schema (matched 0 out of 4)"},
		{rules(rule(`1`, `{"tagStatus":"all","countType":"imageCountMoreThan","countNumber":3}`)), "instance failed to match exactly one schema (matched 0 out of 4)"},
		{rules(rule(`1`, `{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":0}`)), "numeric instance is lower than the required minimum (minimum: 1, found: 0)"},
		{strings.Replace(rules(rule(`1`, some)), `"expire"`, `"expire","targetStorageClass":null`, 1), "instance failed to match exactly one schema (matched 0 out of 2)"},
		{strings.Replace(rules(rule(`1`, some)), `"expire"`, `"transition"`, 1), "instance failed to match exactly one schema (matched 0 out of 2)"},
		{strings.Replace(rules(rule(`1`, archived(`90`))), `"expire"`, `"transition","targetStorageClass":"archive"`, 1), "Images of the storage class archive cannot transition to it."},
		{rules(rule(`1`, archived(`89`))), "numeric instance is lower than the required minimum (minimum: 90, found: 89)"},
		{rules(rule(`1`, strings.Replace(archived(`90`), `"archive"`, `"standard"`, 1))), "instance failed to match exactly one schema (matched 0 out of 4)"},
		{rules(rule(`1`, strings.Replace(archived(`90`), `"storageClass":"archive",`, ``, 1))), "instance failed to match exactly one schema (matched 0 out of 4)"},
		{rules(rule(`1`, strings.Replace(archived(`90`), `Transitioned`, `Pulled`, 1))), "instance failed to match exactly one schema (matched 0 out of 4)"},
		{rules(rule(`1`, archived(`90`)), rule(`2`, archived(`91`))), "Rule for tagStatus=ANY must have the lowest priority per storage class"},
		{rules(rule(`1`, tagged(``))), "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."},
		{rules(rule(`1`, some), rule(`2`, bare)), "Rule for tagStatus=ANY must have the lowest priority per storage class"},
		{rules(rule(`1`, bare), rule(`2`, bare)), "Only one rule can select Untagged images per storage class"},
		{rules(rule(`1`, bare), rule(`1`, some)), "Duplicate rulePriority: 1"},
		{rules(rule(`1`, tagged(`"tagPrefixList":["a"],`)), rule(`2`, tagged(`"tagPrefixList":["b","a"],`))), "The tag prefix 'a' is in more than one rule."},
		{rules(rule(`1`, tagged(`"tagPrefixList":["a"],"tagPatternList":["b"],`))), "Cannot specify both tagPrefixList and tagPatternList."},
		{rules(rule(`1`, tagged(`"tagPatternList":["*a*b*c*d*"],`))), "at most 4 wildcards"},
		{rules(strings.Split(strings.Repeat(rule(`1`, some)+" ", 51), " ")[:51]...), "array is too long: must have at most 50 elements but instance has 51 elements"},
	} {
		_, err := expiry.Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: ") {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}
