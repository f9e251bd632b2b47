package policy

import (
	"strconv"
	"strings"
	"time"
)

// Context is what is known of a request besides principal, action and resource: condition keys ("ecs:cluster",
// "aws:RequestTag/team") and their values. Keys do not differ by case, and neither do the tag keys in them [D]. The zero value
// is empty and ready.
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

// SetTime gives aws:CurrentTime and aws:EpochTime.
func (c *Context) SetTime(now time.Time) {
	c.Set("aws:CurrentTime", now.UTC().Format(time.RFC3339))
	c.Set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
}

// Get returns the values of a key, nil if it is missing.
func (c *Context) Get(key string) []string { return c.get(strings.ToLower(key)) }

func (c *Context) get(lower string) []string { return c.values[lower] }
