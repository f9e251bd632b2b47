package simulate

import (
	"bytes"
	"fmt"
)

// Departure is what a what-if told from where it first differs from what the file told as it was written.
func Departure(written, whatIf []byte) []byte {
	same := 0
	for same < len(whatIf) {
		end := bytes.IndexByte(whatIf[same:], '\n') + 1
		if end == 0 || !bytes.HasPrefix(written[min(same, len(written)):], whatIf[same:same+end]) {
			break
		}
		same += end
	}
	if same == 0 {
		return whatIf
	}
	last := whatIf[bytes.LastIndexByte(whatIf[:same-1], '\n')+1:]
	return append(fmt.Appendf(nil, "%s  the same until then\n", last[:bytes.IndexByte(last, ' ')]), whatIf[same:]...)
}
