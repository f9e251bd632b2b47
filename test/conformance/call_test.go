//go:build e2e

package conformance_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

// prefixes of X-Amz-Target, by service.
var prefixes = map[string]string{
	"ecs":            "AmazonEC2ContainerServiceV20141113",
	"ecr":            "AmazonEC2ContainerRegistry_V20150921",
	"kms":            "TrentService",
	"secretsmanager": "secretsmanager",
}

// cmdCall makes one signed request, a hundred times cheaper than the command line:
// [!] call [-clock=DURATION] SERVICE OPERATION JSON|@FILE. What it is refused with is printed as the command line does.
func cmdCall(ts *testscript.TestScript, neg bool, args []string) {
	var skew time.Duration
	if len(args) > 0 {
		if d, ok := strings.CutPrefix(args[0], "-clock="); ok {
			var err error
			skew, err = time.ParseDuration(d)
			ts.Check(err)
			args = args[1:]
		}
	}
	if len(args) != 3 {
		ts.Fatalf("usage: [!] call [-clock=DURATION] SERVICE OPERATION JSON|@FILE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	status, body := post(ctx, ts, skew, args[0], args[1], document(ts, args[2]))
	fmt.Fprintln(ts.Stdout(), body)
	if status != http.StatusOK {
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		ts.Check(json.Unmarshal([]byte(body), &e))
		fmt.Fprintf(ts.Stderr(), "An error occurred (%s) when calling the %s operation: %s\n", e.Type, args[1], e.Message)
	}
	switch {
	case status >= 500: // SDKs would repeat it for minutes: never an answer to a request
		ts.Fatalf("status %d\n%s", status, body)
	case status != http.StatusOK && !neg:
		ts.Fatalf("refused with status %d\n%s", status, body)
	case status == http.StatusOK && neg:
		ts.Fatalf("it should have been refused\n%s", body)
	}
}

// document is a request's body: as given, or a file of the script, with variables replaced.
func document(ts *testscript.TestScript, arg string) string {
	if file, ok := strings.CutPrefix(arg, "@"); ok {
		return os.Expand(ts.ReadFile(file), ts.Getenv)
	}
	return arg
}

// post sends a request and checks what every answer has to have.
func post(ctx context.Context, ts *testscript.TestScript, skew time.Duration, service, op, body string) (int, string) {
	url := target.endpoint
	if url == "" {
		url = fmt.Sprintf("https://%s.%s.amazonaws.com", map[string]string{"ecs": "ecs", "ecr": "api.ecr", "kms": "kms", "secretsmanager": "secretsmanager"}[service], target.region)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/", strings.NewReader(body))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", prefixes[service]+"."+op)
	sum := sha256.Sum256([]byte(body))
	who := aws.Credentials{AccessKeyID: ts.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: ts.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: ts.Getenv("AWS_SESSION_TOKEN")}
	ts.Check(v4.NewSigner().SignHTTP(ctx, who, r, hex.EncodeToString(sum[:]), service, target.region, time.Now().Add(skew)))
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if answer.Header.Get("X-Amzn-Requestid") == "" {
		ts.Fatalf("the answer has no x-amzn-RequestId") // SEMANTICS §1 [D]
	}
	if t := answer.Header.Get("Content-Type"); t != "application/x-amz-json-1.1" {
		ts.Fatalf("the answer's Content-Type is %q", t)
	}
	return answer.StatusCode, string(b)
}

// awaitPatience is how long a script waits for what must come.
const awaitPatience = 20 * time.Second

// cmdAwait repeats a call until a value is there, and leaves the answer as the last stdout:
// await PATH VALUE SERVICE OPERATION JSON|@FILE.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: await PATH VALUE SERVICE OPERATION JSON|@FILE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), awaitPatience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	body := document(ts, args[4])
	for {
		status, answer := post(ctx, ts, 0, args[2], args[3], body)
		if status != http.StatusOK {
			ts.Fatalf("refused with status %d\n%s", status, answer)
		}
		var v any
		d := json.NewDecoder(strings.NewReader(answer))
		d.UseNumber()
		ts.Check(d.Decode(&v))
		got, found := pick(v, args[0])
		if found && matches(show(got), args[1]) {
			fmt.Fprintln(ts.Stdout(), answer)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("after %s %s is %s\n%s", awaitPatience, args[0], show(got), answer)
		}
	}
}
