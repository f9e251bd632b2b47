package policy

import "strings"

// awsEntry reads what stands under "AWS": everybody, an account by number or by its root's ARN, an ARN, or an id. What is none
// of these keeps the kind byARN, and check refuses it.
func awsEntry(name string) entry {
	switch {
	case name == "*":
		return entry{anybody, name}
	case accountNumber(name):
		return entry{ofAccount, name}
	case alphanumeric(name) && (strings.HasPrefix(name, "AIDA") || strings.HasPrefix(name, "AROA")):
		return entry{byID, name}
	}
	if p := strings.SplitN(name, ":", 6); len(p) == 6 && p[0] == "arn" && p[2] == "iam" && p[5] == "root" && accountNumber(p[4]) {
		return entry{ofAccount, p[4]}
	}
	return entry{byARN, name}
}

func accountNumber(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

func (w *written) checkPrincipals(k Kind) error {
	has := w.has["Principal"] || w.has["NotPrincipal"]
	switch {
	case !k.named() && has:
		return malformed("Policy document should not specify a principal.")
	case !k.named():
		return nil
	case !has:
		return malformed("Missing required field Principal")
	case len(w.principals) == 0:
		return malformed("Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has a statement with no principals!")
	case w.has["NotPrincipal"] && (k == Trust || w.effect == "Allow"): // [D]; the words are ours
		return malformed("NotPrincipal is only supported with Deny, and not in a role's trust policy.")
	}
	for _, e := range w.principals {
		if k == Trust && e.kind == anybody && e.value == "" {
			return malformed(`AssumeRolepolicy contained an invalid principal: "STAR":"*".`)
		}
		if under, ok := e.valid(); !ok {
			return malformed(`Invalid principal in policy: "%s":"%s"`, under, e.value)
		}
	}
	return nil
}

// valid says whether a principal may be named so, and under which word it stands.
func (e *entry) valid() (under string, ok bool) {
	switch e.kind {
	case byARN:
		return "AWS", principalARN(e.value)
	case byService:
		return "SERVICE", strings.Contains(e.value, ".") && !strings.ContainsAny(e.value, "*?:/ ")
	case byProvider:
		return "FEDERATED", e.value != "" && !strings.ContainsAny(e.value, "*? ")
	}
	return "AWS", true
}

// IsPrincipal says whether an ARN may stand for a principal: a user, a role, one session, or an account as a whole.
func IsPrincipal(arn string) bool {
	e := awsEntry(arn)
	return e.kind == ofAccount && e.value != arn || e.kind == byARN && principalARN(arn)
}

// principalARN says whether it is the ARN of a user, a role or one session: without wildcards, a group is none [D].
func principalARN(arn string) bool {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || p[0] != "arn" || strings.Contains(p[1], "*") || !partition(p[1]) || p[3] != "" || !accountNumber(p[4]) || strings.ContainsAny(arn, "*?$ ") {
		return false
	}
	kind, name, _ := strings.Cut(p[5], "/")
	switch p[2] + " " + kind {
	case "iam user", "iam role", "sts federated-user":
		return name != "" && !strings.HasSuffix(name, "/")
	case "sts assumed-role":
		role, session, _ := strings.Cut(name, "/")
		return role != "" && session != "" && !strings.Contains(session, "/")
	}
	return false
}
