package s3

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// maxPolicy is how long a bucket's policy may be, in bytes [D].
const maxPolicy = 20 << 10

func errNoPolicy(bucket string) error {
	return refused("NoSuchBucketPolicy", "The bucket policy does not exist", "BucketName", bucket)
}

func errPolicy(message string) error { return refused("MalformedPolicy", message) }

// onPolicy asks for permission to do something with a bucket's policy, which only its owner's account can get [D].
func (a *API) onPolicy(c *call, action string) (*model.Bucket, error) {
	b, err := a.onBucket(c, action)
	if err == nil && b.Account != c.who.Account {
		err = errMethod()
	}
	return b, err
}

// getBucketPolicy answers the text as it was put.
func (a *API) getBucketPolicy(c *call) error {
	b, err := a.onPolicy(c, "GetBucketPolicy")
	if err != nil {
		return err
	}
	if b.Policy == "" {
		return errNoPolicy(b.Name)
	}
	c.ResponseWriter.Header().Set("Content-Type", "application/json")
	c.WriteHeader(http.StatusOK)
	_, _ = c.ResponseWriter.Write([]byte(b.Policy))
	return nil
}

func (a *API) getBucketPolicyStatus(c *call) error {
	b, err := a.onPolicy(c, "GetBucketPolicyStatus")
	if err != nil {
		return err
	}
	if b.Policy == "" {
		return errNoPolicy(b.Name)
	}
	p, err := policy.Parse(policy.Resource, "bucket policy", b.Policy)
	if err != nil {
		return err
	}
	return c.answer(struct {
		XMLName  xml.Name `xml:"PolicyStatus"`
		NS       string   `xml:"xmlns,attr"`
		IsPublic bool
	}{NS: namespace, IsPublic: p.Public()})
}

// putBucketPolicy stores a policy, which counts in the decisions of access from then on. One that lets in everybody is refused, as AWS
// does unless its owner has said that he wants that.
func (a *API) putBucketPolicy(c *call) error {
	b, err := a.onPolicy(c, "PutBucketPolicy")
	if err != nil {
		return err
	}
	text, err := c.readAll(maxPolicy)
	if err != nil {
		return err
	}
	p, err := checkPolicy(b.Name, string(text))
	if err != nil {
		return err
	}
	if p.Public() {
		return refused("AccessDenied", "User: "+c.who.ARN+" is not authorized to perform: s3:PutBucketPolicy on resource: \""+model.BucketARN(b.Name, "")+
			"\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.") // [I] the words
	}
	return a.setPolicy(c, b, string(text))
}

func (a *API) deleteBucketPolicy(c *call) error {
	b, err := a.onPolicy(c, "DeleteBucketPolicy")
	if err != nil {
		return err
	}
	return a.setPolicy(c, b, "")
}

func (a *API) setPolicy(c *call, b *model.Bucket, text string) error {
	err := a.DB.Update(c.Context(), func(tx *state.Tx) error {
		if err := same(tx, b); err != nil {
			return err
		}
		row, _ := tx.Buckets.Get(b.Key())
		changed := *row
		changed.Policy = text
		tx.Buckets.Put(&changed)
		return nil
	})
	if err == nil {
		c.WriteHeader(http.StatusNoContent)
	}
	return err
}

// checkPolicy refuses what S3 refuses, in its words [O].
func checkPolicy(bucket, text string) (*policy.Policy, error) {
	switch {
	case len(text) > maxPolicy:
		return nil, errPolicy("Policy exceeds the maximum allowed document size.")
	case !strings.HasPrefix(text, "{") || !json.Valid([]byte(text)):
		return nil, errPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	p, err := policy.Parse(policy.Resource, "bucket policy", text)
	if err != nil {
		var e *model.Error
		if errors.As(err, &e) && strings.HasPrefix(e.Message, "Invalid principal in policy") {
			return nil, errPolicy("Invalid principal in policy")
		} else if errors.As(err, &e) {
			return nil, errPolicy(e.Message)
		}
		return nil, err
	}
	var doc struct{ Statement oneOrMore[statement] }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, errPolicy("Syntax errors in policy.")
	}
	for _, s := range doc.Statement {
		named := slices.Concat(s.Resource, s.NotResource)
		if len(named) == 0 {
			return nil, errPolicy("Missing required field Resource")
		}
		for _, r := range named {
			if arn := model.BucketARN(bucket, ""); r != arn && !strings.HasPrefix(r, arn+"/") && r != arn+"*" {
				return nil, errPolicy("Policy has invalid resource")
			}
		}
	}
	return p, nil
}

// statement is what a bucket has to know of a statement: that it is about nothing else.
type statement struct{ Resource, NotResource oneOrMore[string] }

// oneOrMore is a list that JSON may have as its only entry.
type oneOrMore[T any] []T

func (l *oneOrMore[T]) UnmarshalJSON(b []byte) error {
	if strings.HasPrefix(strings.TrimSpace(string(b)), "[") {
		return json.Unmarshal(b, (*[]T)(l))
	}
	var one T
	err := json.Unmarshal(b, &one)
	*l = oneOrMore[T]{one}
	return err
}
