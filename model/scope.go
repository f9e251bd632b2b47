package model

import (
	"slices"
	"strings"
)

// Scope says whose row it is and where: every row's key begins with it, so that an account can never see another's.
type Scope struct {
	Account string `json:"account"` // 12 digits
	Region  string `json:"region"`  // "us-east-1"
}

// Key joins the scope and the parts into a row key, "account/region/part/part". Parts hold no "/" except the last.
func (s Scope) Key(parts ...string) string {
	if len(parts) == 2 { // most keys are made here, and in one piece
		return s.Account + "/" + s.Region + "/" + parts[0] + "/" + parts[1]
	}
	return s.Account + "/" + s.Region + "/" + strings.Join(parts, "/")
}

// ARN builds an ARN of one of the account's resources in the Region: arn:aws:SERVICE:REGION:ACCOUNT:TAIL.
func (s Scope) ARN(service, tail string) string {
	return "arn:aws:" + service + ":" + s.Region + ":" + s.Account + ":" + tail
}

// ARN is a parsed Amazon resource name.
type ARN struct {
	Partition, Service string
	Scope
	Tail string // everything after the account: "task/default/0123..."
}

// ParseARN splits an ARN; ok is false if it is none. Its Region and account hold no "/", which would make the keys of
// its scope those of another.
func ParseARN(s string) (a ARN, ok bool) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[5] == "" || strings.Contains(p[3]+p[4], "/") {
		return ARN{}, false
	}
	return ARN{Partition: p[1], Service: p[2], Scope: Scope{Region: p[3], Account: p[4]}, Tail: p[5]}, true
}

// Type returns the first segment of the tail: "task" of "task/default/0123".
func (a ARN) Type() string {
	t, _, _ := strings.Cut(a.Tail, "/")
	return t
}

// Segments returns the segments of the tail after its type: ["default", "0123"] of "task/default/0123".
func (a ARN) Segments() []string {
	return strings.Split(a.Tail, "/")[1:]
}

func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Tail
}

// Tag is one user tag. Order is the user's.
type Tag struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// MergeTags returns have with news added, or put in the place of those with the same key.
func MergeTags(have, news []Tag) []Tag {
	out := slices.Clone(have)
	for _, t := range news {
		if i := slices.IndexFunc(out, func(o Tag) bool { return o.Key == t.Key }); i >= 0 {
			out[i] = t
		} else {
			out = append(out, t)
		}
	}
	return out
}

// The tags that tasks get from ECS itself if that is asked for (SEMANTICS §16).
const (
	TagClusterName = "aws:ecs:clusterName"
	TagServiceName = "aws:ecs:serviceName"
)

// Millis is a moment in milliseconds since the Unix epoch; 0 is "not yet".
type Millis = int64
