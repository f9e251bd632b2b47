package definition

import (
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// checkDocument checks what must hold before anything else can be said: the size, the family, the containers' names
// and images, and the tags (SEMANTICS §12, §17).
func checkDocument(in *ecs.RegisterTaskDefinitionInput) error {
	if err := checkFamily(deref(in.Family)); err != nil {
		return err
	}
	switch n := len(in.ContainerDefinitions); {
	case n == 0:
		return refuse("Container list cannot be empty.") // [O]
	case n > maxContainers:
		return refuse("Too many containers.") // [O]
	}
	seen := make(map[string]bool, len(in.ContainerDefinitions))
	for i := range in.ContainerDefinitions {
		c := &in.ContainerDefinitions[i]
		if err := checkName(deref(c.Name)); err != nil {
			return err
		}
		if seen[*c.Name] {
			return refuse("Container.name must be unique. '%s' is used more than once.", *c.Name) // [I]
		}
		seen[*c.Name] = true
		if err := checkImage(deref(c.Image)); err != nil {
			return err
		}
	}
	if err := checkTags(in.Tags); err != nil {
		return err
	}
	sized := *in
	sized.Tags = nil
	if n := jsonSize(&sized); n > maxDocument {
		return refuse("Actual length: '%d'. Max allowed length is '%d' bytes.", n, maxDocument) // [O]
	}
	return nil
}

func checkFamily(family string) error {
	switch {
	case family == "":
		return refuse("Family should not be null or empty.") // [I]
	case len(family) > maxName:
		return refuse("Family is too long. The maximum length is %d.", maxName) // [I]
	case !isName(family):
		return refuse("Family contains invalid characters.") // [O]
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return refuse("Container.name should not be null or empty.") // [O]
	case len(name) > maxName:
		return refuse("Container.name is too long. The maximum length is %d.", maxName) // [I]
	case !isName(name):
		return refuse("Container.name contains invalid characters.") // [O]
	}
	return nil
}

// checkImage allows what SDK and Docker call an image: up to 255 of [A-Za-z0-9-_:./#], then perhaps "@sha256:<64 hex>".
func checkImage(image string) error {
	name, digest, pinned := strings.Cut(image, "@")
	switch {
	case image == "":
		return refuse("Container.image should not be null or empty.") // [O]
	case len(name) > maxName:
		return refuse("Container.image is too long. The maximum length is %d.", maxName) // [I]
	case name == "" || strings.IndexFunc(name, func(r rune) bool { return !isNameRune(r) && !strings.ContainsRune(":./#", r) }) >= 0:
		return refuse("Container.image contains invalid characters.") // [O]
	case pinned && !isDigest(digest):
		return refuse("Container.image contains an invalid digest.") // [I]
	}
	return nil
}

// isDigest says whether s is sha256: and 64 hexadecimal digits of either case [D].
func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.IndexFunc(strings.ToLower(hex), func(r rune) bool { return !isDigit(r) && (r < 'a' || r > 'f') }) < 0
}

// Limits of tags (SEMANTICS §16) [D].
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

func checkTags(tags []types.Tag) error {
	if len(tags) > maxTags {
		return invalid("The maximum number of tags is %d.", maxTags) // [I]
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		key, value := deref(t.Key), deref(t.Value)
		switch n := utf8.RuneCountInString(key); {
		case n < 1 || n > maxTagKey:
			return invalid("Tag keys must be between 1 and %d characters long.", maxTagKey) // [I]
		case utf8.RuneCountInString(value) > maxTagValue:
			return invalid("Tag values must be at most %d characters long.", maxTagValue) // [I]
		case reserved(key) || reserved(value):
			return invalid("Tag keys and values cannot start with 'aws:'. The prefix is reserved for AWS use.") // [I]
		case seen[key]:
			return invalid("Duplicate tag keys found: %s. Each tag key must be unique.", key) // [I]
		}
		seen[key] = true
	}
	return nil
}

func reserved(s string) bool { return len(s) >= 4 && strings.EqualFold(s[:4], "aws:") }
