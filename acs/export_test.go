package acs

// DecodeAny is Decode without its short cut.
func DecodeAny(b []byte) (any, error) { return decodeAny(b) }
