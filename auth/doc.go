// Package auth answers two questions about a request: who sent it (Verifier, AWS Signature Version 4 in the
// Authorization header or in a presigned URL) and whether the sender may do what it asks (Allowed, pure).
//
// It must not know where access keys are stored (Lookup is handed in), which operations exist beyond the few that a
// node may call, or how errors travel: it returns *model.Error with the codes of the JSON protocols, whatever protocol
// the request speaks. It starts no goroutine and keeps no state but a bounded cache of derived
// signing keys.
package auth
