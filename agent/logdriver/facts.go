package logdriver

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"text/template"
)

// Extra chooses what the options labels, env, labels-regex and env-regex ask for.
func Extra(options, labels, env map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for _, from := range []struct {
		option string
		values map[string]string
	}{{"labels", labels}, {"env", env}} {
		for name := range strings.SplitSeq(options[from.option], ",") {
			if v, ok := from.values[name]; ok {
				out[name] = v
			}
		}
		pattern := options[from.option+"-regex"]
		if pattern == "" {
			continue
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		for name, v := range from.values {
			if re.MatchString(name) {
				out[name] = v
			}
		}
	}
	return out, nil
}

// short is the form in which Docker shows ids. Ids of containers on our nodes begin with their task's, so that their first twelve
// characters would say nothing: they are whole.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	if len(id) == 64 {
		return id[:12]
	}
	return id
}

// view is what templates of tags see, in Docker's names.
type view struct{ f *Facts }

func (v view) ID() string          { return short(v.f.ID) }
func (v view) FullID() string      { return v.f.ID }
func (v view) Name() string        { return v.f.Name }
func (v view) ImageID() string     { return short(v.f.ImageID) }
func (v view) ImageFullID() string { return v.f.ImageID }
func (v view) ImageName() string   { return v.f.Image }
func (v view) DaemonName() string  { return "roadstead" }
func (v view) Hostname() string    { return v.f.Host }
func (v view) Command() string     { return v.f.Command }

// ExtraAttributes are those that the options chose; the argument is Docker's.
func (v view) ExtraAttributes(any) map[string]string { return v.f.Extra }

// Tag renders the option tag, a template; of none it is the container's id.
func Tag(options map[string]string, f *Facts) (string, error) {
	text := options["tag"]
	if text == "" {
		return short(f.ID), nil
	}
	t, err := template.New("log-tag").Funcs(template.FuncMap{
		"json":     func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
		"split":    strings.Split,
		"join":     strings.Join,
		"title":    func(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] },
		"lower":    strings.ToLower,
		"upper":    strings.ToUpper,
		"truncate": func(s string, n int) string { return s[:max(0, min(n, len(s)))] },
		"pad": func(s string, before, after int) string {
			if s == "" || before < 0 || after < 0 {
				return s
			}
			return strings.Repeat(" ", before) + s + strings.Repeat(" ", after)
		},
	}).Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, view{f}); err != nil {
		return "", fmt.Errorf("render tag: %w", err)
	}
	return b.String(), nil
}
