package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A table that a person can read: the busiest task first, and why there are no figures.
func TestUsageTable(t *testing.T) {
	text := fmt.Sprintf(`[
		{"task":"quiet","definition":"db:1","instance":"0123456789abcdef"},
		{"task":"0123456789abcdef0123","definition":"web:7","instance":"0123456789abcdef","memory":64,"at":%d,"containers":[
			{"name":"app","cpu":12.34,"memory":20.5,"network":true,"rx":2048,"tx":3,"rxRate":100.7,"txRate":0,"read":5242880,"written":1048576000,"restarts":2},
			{"name":"side","cpu":0.04,"memory":1}]}]`, time.Now().UnixMilli()-3500)
	var tasks []usageView
	if err := json.Unmarshal([]byte(text), &tasks); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := usageTable(tasks, &out); err != nil {
		t.Fatal(err)
	}
	const want = `TASK          DEFINITION  NODE          CONTAINER  CPU     MEMORY        NET IN             NET OUT      DISK READ  WRITTEN  RESTARTS  SEEN
0123456789ab  web:7       0123456789ab  app        12.3 %  20 of 64 MiB  2.0 KiB (101 B/s)  3 B (0 B/s)  5.0 MiB    1.0 GiB  2         3s
0123456789ab  web:7       0123456789ab  side       0.0 %   1 of 64 MiB   -                  -            0 B        0 B      0         3s
quiet         db:1        0123456789ab  -          not heard of yet: nodes tell every 20 s
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}
