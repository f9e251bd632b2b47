// Package wire is for speaking AWS protocols with the official SDK's structs: it recognises a request's service, protocol
// and operation, decodes the body into the SDK's input struct, calls the handler, and encodes the SDK's output struct or
// the error the way AWS does. One reflective codec serves awsJson 1.0 and 1.1, awsQuery, ec2Query and rpc-v2-cbor; rows
// of state that hold SDK structs are stored with the same codec (Marshal, Unmarshal).
//
// It must not know what an operation means, who may call it (auth verifies; Gateway only asks), where rows are kept, or
// how the process listens. DESIGN.md says how it works and what was rejected.
package wire

//go:generate go run ./gen
