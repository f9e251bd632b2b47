// Package policy decides whether a principal may do something: it parses and checks IAM policy documents, and Decide weighs
// those of a principal, its boundary, its session and the resource against a request, as AWS's evaluation logic does (explicit
// deny first, then the resource's policy, identity policies, permissions boundary, session policies). Every Decision names the
// statement that decided, or the layer in which nothing allowed. Operations says as what each operation is authorised.
//
// It must not know where policies, users and roles are stored, how requests travel, or what time it is: whoever asks brings the
// policies, already parsed, and the facts of the request as a Context. A parsed Policy is immutable and may be used by many
// goroutines. docs/decisions/016-policy.md says where AWS is silent and what was chosen.
package policy
