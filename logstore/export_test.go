package logstore

// Waiting is how many appends wait for the one that is being written.
func Waiting(g *Group) int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.pending.batches)
}

// Frames are the payloads of a journal.
func Frames(b []byte) (payloads [][]byte) {
	for {
		payload, ok := nextFrame(b)
		if !ok {
			return payloads
		}
		payloads = append(payloads, payload)
		b = b[frameHead+len(payload):]
	}
}

// Journal is a journal of such payloads.
func Journal(payloads ...[]byte) (out []byte) {
	for _, p := range payloads {
		out = appendFrame(out, func(dst []byte) []byte { return append(dst, p...) })
	}
	return out
}

// Encrypted is the part of a frame that a key has encrypted; ok is false if there is none.
func Encrypted(payload []byte) (text []byte, ok bool) {
	_, text, err := parseLocked(payload)
	return text, err == nil
}
