// Package client calls a Roadstead endpoint: AWS operations in JSON (Call), Roadstead's own paths under /roadstead/v1
// (Do), objects of S3 (GetObject), and signed GET requests for others to send, such as a websocket handshake (SignedRequest). Our CLI and our
// agent speak to the control plane through it, with the same signatures as everybody else.
//
// It must not know what the operations mean: in and out are any JSON-tagged values. Members have the wire's names
// ("taskArn") and its types (times are seconds since the epoch, as numbers).
package client
