package policy

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
)

// Context is what is known of a request besides principal, action and resource: condition keys ("ecs:cluster",
// "aws:RequestTag/team") and their values. Keys do not differ by case, and neither do the tag keys in them [D]. The zero value
// is empty and ready.
//
// Every request has those of Principal.Describe and SetTime, and aws:RequestedRegion, aws:SecureTransport, aws:SourceIp and
// aws:UserAgent; one about a resource has aws:ResourceAccount, and its tags. A session has aws:TokenIssueTime; of what a service
// asks in somebody's name, aws:SourceArn and aws:SourceAccount say in whose [D].
type Context struct {
	values map[string][]string // by lower-case key; never an empty list
}

// Set gives a key its values in place of those it had. Without values the key is missing, as for a request that has none.
func (c *Context) Set(key string, values ...string) {
	key = strings.ToLower(key)
	if len(values) == 0 {
		delete(c.values, key)
		return
	}
	if c.values == nil {
		c.values = map[string][]string{}
	}
	c.values[key] = values
}

// SetTags gives the keys PREFIX/KEY of tags ("aws:ResourceTag", "ecs:ResourceTag"). Tags whose keys differ by case only are one
// key with several values.
func (c *Context) SetTags(prefix string, tags []model.Tag) {
	if c.values == nil {
		c.values = make(map[string][]string, len(tags))
	}
	prefix = strings.ToLower(prefix) + "/"
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = prefix + strings.ToLower(t.Key)
		delete(c.values, keys[i])
	}
	for i, t := range tags {
		c.values[keys[i]] = append(c.values[keys[i]], t.Value)
	}
}

// SetRequestTags gives aws:RequestTag/* and aws:TagKeys: the tags that a request adds.
func (c *Context) SetRequestTags(tags []model.Tag) {
	c.SetTags("aws:RequestTag", tags)
	keys := make([]string, 0, len(tags))
	for _, t := range tags {
		keys = append(keys, t.Key)
	}
	c.Set("aws:TagKeys", keys...)
}

// SetTime gives aws:CurrentTime and aws:EpochTime.
func (c *Context) SetTime(now time.Time) {
	c.Set("aws:CurrentTime", now.UTC().Format(time.RFC3339))
	c.Set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
}

// Get returns the values of a key, nil if it is missing.
func (c *Context) Get(key string) []string { return c.get(strings.ToLower(key)) }

func (c *Context) get(lower string) []string { return c.values[lower] }

// Keys are the keys that have values, in lower case and sorted.
func (c *Context) Keys() []string { return slices.Sorted(maps.Keys(c.values)) }
