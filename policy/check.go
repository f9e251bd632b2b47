package policy

import (
	"strings"
)

// check refuses what AWS refuses when a document is stored, in AWS's order: version, what its first parser took for wrong,
// statement by statement [O].
func (d *document) check(k Kind) error {
	if k == Managed && d.version != version2012 {
		return malformed("Policy document must be version 2012-10-17 or greater.")
	}
	for i := range d.statements {
		if err := d.statements[i].checkLegacy(k); err != nil {
			return err
		}
	}
	if err := d.checkSids(k); err != nil {
		return err
	}
	for i := range d.statements {
		if err := d.statements[i].check(k); err != nil {
			return err
		}
	}
	return nil
}

const legacy = "The policy failed legacy parsing"

func (w *written) checkLegacy(k Kind) error {
	if w.effect != "Allow" && w.effect != "Deny" {
		return malformed(legacy)
	}
	for _, t := range w.conditions {
		for _, v := range t.values {
			if o := newOperand(t.operator.comparison, v, false); o.invalid && t.operator.comparison.date() {
				return malformed(legacy)
			}
		}
	}
	if k == Trust {
		return nil
	}
	for _, r := range w.resources {
		if p := strings.Split(r, ":"); len(p) >= 3 && partition(p[1]) && !complete(p) {
			return malformed(legacy)
		}
	}
	return nil
}

// complete says whether an ARN has what it needs: a service, and either nothing more or all six components. One that ends with
// a star may leave out the rest [I].
func complete(p []string) bool {
	return p[2] != "" && (len(p) == 3 || len(p) >= 6 || strings.HasSuffix(p[len(p)-1], "*"))
}

func partition(s string) bool {
	return s == "aws" || s == "*" || s == "aws*" || strings.HasPrefix(s, "aws-")
}

func (d *document) checkSids(k Kind) error {
	seen := map[string]bool{}
	for i := range d.statements {
		sid := d.statements[i].sid
		switch {
		case sid == "":
		case seen[sid]:
			return malformed("Statement IDs (SID) in a single policy must be unique.")
		case k != Resource && k != KeyPolicy && !alphanumeric(sid): // resources' services allow more [D]
			return malformed("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
		}
		seen[sid] = true
	}
	return nil
}

func alphanumeric(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z')
	}) < 0
}

func (w *written) check(k Kind) error {
	if err := w.checkPrincipals(k); err != nil {
		return err
	}
	if k == Trust && (w.has["Resource"] || w.has["NotResource"]) {
		return malformed("Has prohibited field Resource")
	}
	for _, r := range w.resources {
		if err := checkResource(r); err != nil {
			return err
		}
	}
	if len(w.actions) == 0 {
		return malformed("Policy statement must contain actions.")
	}
	for _, a := range w.actions {
		if err := checkAction(a); err != nil {
			return err
		}
		if k == Trust && !w.has["NotAction"] && !strings.HasPrefix(strings.ToLower(a), "sts:") {
			return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
		}
	}
	if len(w.resources) == 0 && (!k.named() || w.has["Resource"] || w.has["NotResource"]) {
		return malformed("Policy statement must contain resources.")
	}
	return nil
}

func checkAction(action string) error {
	if action == "*" {
		return nil
	}
	vendor, name, ok := strings.Cut(action, ":")
	switch {
	case !ok || vendor == "" || name == "":
		return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case strings.Contains(name, ":"):
		return malformed("Actions/Condition can contain only one colon.")
	case strings.IndexFunc(vendor, func(r rune) bool { return !alphanumeric(string(r)) && r != '-' && r != '.' }) >= 0:
		return malformed("Vendor %s is not valid", vendor)
	}
	return nil
}

const iamPaths = "user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, " +
	"saml-provider/, oidc-provider/, report/, access-report/"

func checkResource(resource string) error {
	if resource == "*" {
		return nil
	}
	p := strings.SplitN(resource, ":", 6)
	switch {
	case len(p) == 1:
		return malformed(`Resource %s must be in ARN format or "*".`, resource)
	case !partition(p[1]):
		for len(p) < 6 {
			p = append(p, "*")
		}
		return malformed(`Partition "%s" is not valid for resource "arn:%s".`, p[1], strings.Join(p[1:], ":"))
	case p[0] != "arn":
		return malformed(`Resource %s must be in ARN format or "*".`, resource)
	case len(p) == 2 || strings.ContainsAny(p[2], "*?$"):
		return malformed("Resource vendor must be fully qualified and cannot contain regexes.")
	case p[2] == "iam" && len(p) >= 4 && p[3] != "" && p[3] != "*":
		return malformed("IAM resource %s cannot contain region information.", resource)
	case p[2] == "s3" && len(p) >= 4 && p[3] != "" && p[3] != "*" && !strings.HasPrefix(p[len(p)-1], "accesspoint/"):
		return malformed("Resource %s can not contain region information.", resource)
	case p[2] == "iam" && len(p) == 6 && !iamPath(p[5]):
		return malformed(`IAM resource path must either be "*" or start with %s.`, iamPaths)
	}
	return nil
}

func iamPath(tail string) bool {
	if strings.HasPrefix(tail, "*") || tail == "root" {
		return true
	}
	for path := range strings.SplitSeq(iamPaths, ", ") {
		if strings.HasPrefix(tail, path) {
			return true
		}
	}
	return false
}
