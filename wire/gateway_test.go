package wire_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithy "github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

const scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=0"

// call is one hand-made request; zero members have the values of an ordinary ECS call.
type call struct {
	method, url, body string
	header            map[string]string
}

func (c call) send(h http.Handler) *httptest.ResponseRecorder {
	if c.method == "" {
		c.method = "POST"
	}
	if c.url == "" {
		c.url = "/"
	}
	r := httptest.NewRequest(c.method, c.url, strings.NewReader(c.body))
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func ecsCall(op, body string) call {
	return call{body: body, header: map[string]string{
		"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonEC2ContainerServiceV20141113." + op,
		"Authorization": fmt.Sprintf(scope, "ecs"),
	}}
}

func formCall(service, body string) call {
	return call{body: body, header: map[string]string{
		"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Authorization": fmt.Sprintf(scope, service),
	}}
}

func cborCall(op, body string) call {
	return call{url: "/service/GraniteServiceVersion20100801/operation/" + op, body: body, header: map[string]string{
		"Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor", "Authorization": fmt.Sprintf(scope, "monitoring"),
	}}
}

// testServices is a gateway with a few handlers of four protocols; each fails with err if it is not nil.
func testServices(cfg wire.GatewayConfig, err error) *wire.Gateway {
	if cfg.Authenticate == nil {
		cfg.Authenticate = letIn
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.NewRequestID = func() string { return "req-1" }
	e := wire.NewMux(wire.ECS())
	wire.Handle(e, "DescribeClusters", func(context.Context, *ecs.DescribeClustersInput) (*ecs.DescribeClustersOutput, error) {
		return &ecs.DescribeClustersOutput{Clusters: []types.Cluster{{ClusterName: aws.String("a"), CapacityProviders: []string{}}}}, err
	})
	wire.Handle(e, "DescribeTasks", func(context.Context, *ecs.DescribeTasksInput) (*ecs.DescribeTasksOutput, error) {
		return nil, err
	})
	s := wire.NewMux(wire.STS())
	wire.Handle(s, "GetCallerIdentity", func(context.Context, *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
		return &sts.GetCallerIdentityOutput{Account: aws.String("1<2")}, err
	})
	c := wire.NewMux(wire.CloudWatch())
	wire.Handle(c, "DeleteAlarms", func(_ context.Context, in *cloudwatch.DeleteAlarmsInput) (*cloudwatch.DeleteAlarmsOutput, error) {
		return nil, err
	})
	return wire.NewGateway(cfg, e, s, c, ec2Mux(err))
}

type ec2Filter struct {
	Name   *string  `wire:"Name|name"`
	Values []string `wire:"Value|valueSet"`
}

type describeVpcsInput struct {
	Filters []ec2Filter `wire:"Filter|filterSet"`
	VpcIDs  []string    `wire:"VpcId"`
	DryRun  *bool
}

type ec2Vpc struct {
	VpcID     *string `wire:"VpcId|vpcId"`
	IsDefault bool    `wire:"IsDefault|isDefault"`
}

type describeVpcsOutput struct {
	Vpcs []ec2Vpc `wire:"Vpcs|vpcSet"`
}

func ec2Mux(err error) *wire.Mux {
	m := wire.NewMux(&wire.Service{
		Name: "ec2", SigningName: "ec2", EC2: true, APIVersion: "2016-11-15",
		XMLNamespace: "http://ec2.amazonaws.com/doc/2016-11-15/", Operations: []string{"DescribeVpcs", "CreateVpc"},
	})
	wire.Handle(m, "DescribeVpcs", func(_ context.Context, in *describeVpcsInput) (*describeVpcsOutput, error) {
		out := &describeVpcsOutput{Vpcs: []ec2Vpc{}}
		for _, f := range in.Filters {
			for _, v := range f.Values {
				out.Vpcs = append(out.Vpcs, ec2Vpc{VpcID: aws.String(*f.Name + "=" + v)})
			}
		}
		return out, err
	})
	return m
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name        string
		call        call
		contentType string
		body        string
	}{
		{"[D] 1.1 awsJson 1.1; zero numbers present, nil lists absent, empty lists written", ecsCall("DescribeClusters", "{}"),
			"application/x-amz-json-1.1",
			`{"clusters":[{"activeServicesCount":0,"capacityProviders":[],"clusterName":"a","pendingTasksCount":0,` +
				`"registeredContainerInstancesCount":0,"runningTasksCount":0}]}`},
		{"[I] a nil output is an empty object", ecsCall("DescribeTasks", `{"tasks":[]}`), "application/x-amz-json-1.1", `{}`},
		{"[I] an empty body is an empty input", ecsCall("DescribeClusters", " "), "application/x-amz-json-1.1", ""},
		{"[D] awsQuery", formCall("sts", "Action=GetCallerIdentity&Version=2011-06-15"), "text/xml",
			`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
				`<Account>1&lt;2</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>req-1</RequestId>` +
				`</ResponseMetadata></GetCallerIdentityResponse>`},
		{"[D] awsQuery unsigned, known by its version", call{url: "/?Action=GetCallerIdentity&Version=2011-06-15", method: "GET"},
			"text/xml", ""},
		{"[D] awsQuery presigned", call{method: "GET", url: "/?Action=GetCallerIdentity&Version=2011-06-15" +
			"&X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fsts%2Faws4_request"}, "text/xml", ""},
		{"[D] ec2Query: flat lists in, item elements out", formCall("ec2", "Action=DescribeVpcs&Version=2016-11-15"+
			"&Filter.1.Name=cidr&Filter.1.Value.1=a&Filter.1.Value.2=b"), "text/xml;charset=UTF-8",
			`<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>req-1</requestId><vpcSet>` +
				`<item><vpcId>cidr=a</vpcId><isDefault>false</isDefault></item>` +
				`<item><vpcId>cidr=b</vpcId><isDefault>false</isDefault></item></vpcSet></DescribeVpcsResponse>`},
		{"[D] rpc-v2-cbor", cborCall("DeleteAlarms", "\xa1jAlarmNames\x81aa"), "application/cbor", "\xa0"},
		{"[D] awsJson 1.0 of a service that also speaks CBOR", call{body: `{"AlarmNames":["a"]}`, header: map[string]string{
			"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.DeleteAlarms",
			"X-Amzn-Query-Mode": "true", "Authorization": fmt.Sprintf(scope, "monitoring")}}, "application/x-amz-json-1.0", "{}"},
		{"[D] awsQuery of the same service", formCall("monitoring", "Action=DeleteAlarms&Version=2010-08-01&AlarmNames.member.1=a"),
			"text/xml", ""},
		{"[O] no content type but a target", call{body: "{}", header: map[string]string{
			"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.DescribeClusters"}}, "application/x-amz-json-1.1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.call.send(testServices(wire.GatewayConfig{}, nil))
			if w.Code != 200 || w.Header().Get("Content-Type") != tt.contentType {
				t.Errorf("%d %s %s, want 200 %s", w.Code, w.Header().Get("Content-Type"), w.Body, tt.contentType)
			}
			if tt.body != "" && w.Body.String() != tt.body {
				t.Errorf("body\n got %s\nwant %s", w.Body, tt.body)
			}
			if id := w.Header().Get("x-amzn-RequestId"); id != "req-1" {
				t.Errorf("request id %q", id)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	signature := model.Errorf("InvalidSignatureException", "bad & ugly")
	denied := model.Errorf("AccessDeniedException", "no")
	tests := []struct {
		name   string
		call   call
		auth   error // of the authenticator
		err    error // of the handler
		status int
		body   string
	}{
		{"[O] 1.5 unknown operation", ecsCall("Nonsense", "{}"), nil, nil, 400,
			`{"__type":"UnknownOperationException","message":"The operation \"Nonsense\" does not exist."}`},
		{"[I] an operation of the model that nobody serves", ecsCall("CreateGateway", "{}"), nil, nil, 400,
			`{"__type":"UnsupportedFeatureException","message":"Roadstead does not serve ecs CreateGateway."}`},
		{"[I] another service's target under this signature", call{body: "{}", header: map[string]string{
			"X-Amz-Target": "DynamoDB_20120810.DescribeClusters", "Authorization": fmt.Sprintf(scope, "ecs")}}, nil, nil, 400,
			`{"__type":"UnknownOperationException","message":"The operation \"DescribeClusters\" does not exist."}`},
		{"[I] a service we do not speak", call{body: "{}", header: map[string]string{
			"X-Amz-Target": "DynamoDB_20120810.GetItem", "Authorization": fmt.Sprintf(scope, "dynamodb")}}, nil, nil, 400,
			`{"__type":"UnknownOperationException","message":"Roadstead does not serve the service \"dynamodb\"."}`},
		{"[O] 1.5 bad signature, JSON", ecsCall("DescribeClusters", "{}"), signature, nil, 400,
			`{"__type":"InvalidSignatureException","message":"bad & ugly"}`},
		{"[O] bad signature, query", formCall("sts", "Action=GetCallerIdentity&Version=2011-06-15"), signature, nil, 403,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>` +
				`<Code>SignatureDoesNotMatch</Code><Message>bad &amp; ugly</Message></Error><RequestId>req-1</RequestId></ErrorResponse>`},
		{"[O] bad signature, ec2", formCall("ec2", "Action=DescribeVpcs&Version=2016-11-15"), signature, nil, 401,
			`<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>AuthFailure</Code>` +
				`<Message>bad &amp; ugly</Message></Error></Errors><RequestID>req-1</RequestID></Response>`},
		{"[O] denied by policy, JSON", ecsCall("DescribeClusters", "{}"), nil, denied, 400,
			`{"__type":"AccessDeniedException","message":"no"}`},
		{"[O] denied by policy, query", formCall("sts", "Action=GetCallerIdentity&Version=2011-06-15"), nil, denied, 403,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>` +
				`<Code>AccessDenied</Code><Message>no</Message></Error><RequestId>req-1</RequestId></ErrorResponse>`},
		{"[D] 1.4 a wrapped refusal", ecsCall("DescribeClusters", "{}"), nil,
			fmt.Errorf("describe: %w", model.Errorf("ClusterNotFoundException", "Cluster not found.")), 400,
			`{"__type":"ClusterNotFoundException","message":"Cluster not found."}`},
		{"[D] 1.4 members of an exception", ecsCall("DescribeClusters", "{}"), nil,
			&model.Error{Code: "ConflictException", Message: "m", Fields: map[string]any{"resourceIds": []string{"a", "b"}}}, 400,
			`{"__type":"ConflictException","message":"m","resourceIds":["a","b"]}`},
		{"[D] 1.4 server exceptions are 500", ecsCall("DescribeClusters", "{}"), nil, model.Errorf("ServerException", "m"), 500,
			`{"__type":"ServerException","message":"m"}`},
		{"[I] other errors tell the caller nothing", ecsCall("DescribeClusters", "{}"), nil, errors.New("etcd at 10.0.0.1"), 500,
			`{"__type":"ServerException","message":"Service Unavailable. Please try again later."}`},
		{"[I] nor in query", formCall("sts", "Action=GetCallerIdentity&Version=2011-06-15"), nil, errors.New("etcd"), 500,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Receiver</Type>` +
				`<Code>InternalFailure</Code><Message>Service Unavailable. Please try again later.</Message></Error>` +
				`<RequestId>req-1</RequestId></ErrorResponse>`},
		{"[O] unknown action", formCall("sts", "Action=Nonsense&Version=2011-06-15"), nil, nil, 400,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>InvalidAction</Code>` +
				`<Message>Could not find operation Nonsense for version 2011-06-15</Message></Error><RequestId>req-1</RequestId></ErrorResponse>`},
		{"[D] CBOR error", cborCall("DeleteAlarms", "\xa1jAlarmNames\x80"), nil, model.Errorf("ResourceNotFound", "m"), 404,
			"\xa2f__typepResourceNotFoundgmessageam"},
		{"[I] malformed CBOR", cborCall("DeleteAlarms", "\xa1jAlarmNames\x81"), nil, nil, 400,
			"\xa2f__typevSerializationExceptiongmessagex+Unexpected end of document. (at AlarmNames)"},
		{"[I] a missing required member", cborCall("DeleteAlarms", "\xa0"), nil, nil, 400, ""},
		{"[I] a field that cannot travel is left out", ecsCall("DescribeClusters", "{}"), nil,
			&model.Error{Code: "ConflictException", Message: "m", Fields: map[string]any{"x": make(chan int)}}, 400,
			`{"__type":"ConflictException","message":"m"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := wire.GatewayConfig{Authenticate: func(r *http.Request, _ []byte) (context.Context, error) { return r.Context(), tt.auth }}
			w := tt.call.send(testServices(cfg, tt.err))
			if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body {
				t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if id := w.Header().Get("x-amzn-RequestId"); id != "req-1" {
				t.Errorf("request id %q", id)
			}
		})
	}
}

// Query-compatible services say the query code on JSON and CBOR errors too, and the SDK shows it [D].
func TestQueryCompatibleErrors(t *testing.T) {
	gw := testServices(wire.GatewayConfig{}, model.Errorf("MissingRequiredParameterException", "m"))
	w := cborCall("DeleteAlarms", "\xa1jAlarmNames\x80").send(gw)
	if got := w.Header().Get("x-amzn-query-error"); got != "MissingParameter;Sender" {
		t.Errorf("x-amzn-query-error %q", got)
	}
	client := cloudwatch.NewFromConfig(clientConfig(t, gw))
	_, err := client.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"a"}})
	var apiErr smithy.APIError
	if !errors.As(err, &apiErr) || apiErr.ErrorCode() != "MissingParameter" || apiErr.ErrorMessage() != "m" {
		t.Errorf("the SDK sees %v", err)
	}
	w = formCall("monitoring", "Action=DeleteAlarms&Version=2010-08-01&AlarmNames=").send(gw)
	if !strings.Contains(w.Body.String(), "<Code>MissingParameter</Code>") {
		t.Errorf("query body %s", w.Body)
	}
}

// A panic in a handler is a 500 for its caller and a log line for us; the process lives [I].
func TestPanicIsAnswered(t *testing.T) {
	var log bytes.Buffer
	mux := wire.NewMux(wire.ECS())
	wire.Handle(mux, "ListClusters", func(context.Context, *ecs.ListClustersInput) (*ecs.ListClustersOutput, error) { panic("boom") })
	gw := wire.NewGateway(wire.GatewayConfig{Authenticate: letIn, Log: slog.New(slog.NewTextHandler(&log, nil))}, mux)
	w := ecsCall("ListClusters", "{}").send(gw)
	if w.Code != 500 || w.Body.String() != `{"__type":"ServerException","message":"Service Unavailable. Please try again later."}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, want := range []string{"boom", "gateway_test.go", "operation=ListClusters", "request=" + w.Header().Get("x-amzn-requestid")} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log lacks %q: %s", want, log.String())
		}
	}
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

// Bodies over the limit are refused, as sent and as decompressed; the authenticator sees the bytes as sent [I].
func TestBodies(t *testing.T) {
	zip := func(c call) call {
		c.body, c.header["Content-Encoding"] = gzipped(c.body), "GZIP"
		return c
	}
	long := `{"clusters":["` + strings.Repeat("a", 1000) + `"]}`
	tests := []struct {
		name   string
		call   call
		status int
		code   string
	}{
		{"gzip in any casing", zip(ecsCall("DescribeClusters", `{}`)), 200, ""},
		{"gzip that is not", call{body: "{}", header: zip(ecsCall("DescribeClusters", "")).header}, 400, "SerializationException"},
		{"unknown encoding", call{body: "{}", header: map[string]string{"Content-Encoding": "br", "X-Amz-Target": "a.b"}}, 400, "SerializationException"},
		{"too large", ecsCall("DescribeClusters", long), 413, "RequestEntityTooLargeException"},
		{"too large once decompressed", zip(ecsCall("DescribeClusters", long)), 413, "RequestEntityTooLargeException"},
		{"too large, query", formCall("sts", strings.Repeat("a", 1000)), 413, "<Code>RequestEntityTooLarge</Code>"},
		{"malformed query string", formCall("sts", "Action=%zz"), 400, "<Code>MalformedInput</Code>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := wire.GatewayConfig{MaxBody: 500, Authenticate: func(r *http.Request, body []byte) (context.Context, error) {
				if string(body) != tt.call.body {
					t.Errorf("authenticator sees %q, want the bytes as sent", body)
				}
				return r.Context(), nil
			}}
			w := tt.call.send(testServices(cfg, nil))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.code) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.status, tt.code)
			}
		})
	}
}

// Raw bytes as old and odd clients send them: header casing, charset, chunked bodies, members in any order [O].
func TestRawCaptures(t *testing.T) {
	auth := "Authorization: " + fmt.Sprintf(scope, "ecs")
	tests := []struct{ name, request string }{
		{"aws cli 2", "POST / HTTP/1.1\r\nHost: 127.0.0.1:4566\r\nAccept-Encoding: identity\r\n" +
			"X-Amz-Target: AmazonEC2ContainerServiceV20141113.DescribeClusters\r\nContent-Type: application/x-amz-json-1.1\r\n" +
			"User-Agent: aws-cli/2.9.19 Python/3.11.2 Linux/6.1 source/x86_64.debian.12 prompt/off command/ecs.describe-clusters\r\n" +
			"X-Amz-Date: 20260101T000000Z\r\n" + auth + "\r\nContent-Length: 2\r\n\r\n{}"},
		{"lower-case headers", "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AmazonEC2ContainerServiceV20141113.DescribeClusters\r\n" +
			"content-type: application/x-amz-json-1.1; charset=UTF-8\r\n" + strings.ToLower(auth[:13]) + auth[13:] + "\r\ncontent-length: 2\r\n\r\n{}"},
		{"shouting headers", "POST / HTTP/1.1\r\nHOST: x\r\nX-AMZ-TARGET: AmazonEC2ContainerServiceV20141113.DescribeClusters\r\n" +
			"CONTENT-TYPE: Application/X-Amz-Json-1.1\r\nCONTENT-LENGTH: 2\r\n\r\n{}"},
		{"chunked", "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonEC2ContainerServiceV20141113.DescribeClusters\r\n" +
			"Content-Type: application/x-amz-json-1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"},
		{"unsigned, without scope", "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonEC2ContainerServiceV20141113.DescribeClusters\r\n" +
			"Content-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}"},
	}
	server := httptest.NewServer(testServices(wire.GatewayConfig{}, nil))
	defer server.Close()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != 200 || !strings.Contains(string(body), `"runningTasksCount":0`) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}

// The authenticator and the handler can tell which call they serve.
func TestCallFrom(t *testing.T) {
	want := wire.Call{Service: "ecs", Operation: "ListClusters", Protocol: "awsJson", RequestID: "req-1", Base: "http://example.com"}
	check := func(who string, ctx context.Context) {
		if got, ok := wire.CallFrom(ctx); !ok || got != want {
			t.Errorf("%s sees %+v, want %+v", who, got, want)
		}
	}
	mux := wire.NewMux(wire.ECS())
	wire.Handle(mux, "ListClusters", func(ctx context.Context, _ *ecs.ListClustersInput) (*ecs.ListClustersOutput, error) {
		check("handler", ctx)
		return nil, nil
	})
	gw := wire.NewGateway(wire.GatewayConfig{
		NewRequestID: func() string { return "req-1" },
		Authenticate: func(r *http.Request, _ []byte) (context.Context, error) {
			check("authenticator", r.Context())
			return r.Context(), nil
		},
	}, mux)
	if w := ecsCall("ListClusters", "{}").send(gw); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A dry run reaches only handlers that know of it.
func TestDryRun(t *testing.T) {
	called := ""
	m := wire.NewMux(wire.ECS())
	note := func(ctx context.Context) { c, _ := wire.CallFrom(ctx); called = fmt.Sprint(c.Operation, " ", c.DryRun) }
	wire.Handle(m, "RunTask", func(ctx context.Context, _ *ecs.RunTaskInput) (*ecs.RunTaskOutput, error) { note(ctx); return nil, nil })
	wire.Handle(m, "StopTask", func(ctx context.Context, _ *ecs.StopTaskInput) (*ecs.StopTaskOutput, error) {
		note(ctx)
		return nil, nil
	})
	m.AllowDryRun("RunTask")
	g := wire.NewGateway(wire.GatewayConfig{Authenticate: func(r *http.Request, _ []byte) (context.Context, error) { return r.Context(), nil }}, m)
	for _, c := range []struct {
		op, body, header, called string
		status                   int
	}{
		{"RunTask", `{"taskDefinition":"a"}`, "true", "RunTask true", 200},
		{"RunTask", `{"taskDefinition":"a"}`, "yes", "RunTask true", 200},
		{"RunTask", `{"taskDefinition":"a"}`, "", "RunTask false", 200},
		{"StopTask", `{"task":"a"}`, "false", "StopTask false", 200},
		{"StopTask", `{"task":"a"}`, "true", "", 400},
	} {
		called = ""
		k := ecsCall(c.op, c.body)
		k.header[wire.DryRunHeader] = c.header
		w := k.send(g)
		if w.Code != c.status || called != c.called {
			t.Errorf("%s, header %q: status %d, called %q; want %d, %q", c.op, c.header, w.Code, called, c.status, c.called)
		}
		if c.status == 400 && !strings.Contains(w.Body.String(), "UnsupportedFeatureException") {
			t.Errorf("%s: %s", c.op, w.Body)
		}
	}
}

func TestIsCall(t *testing.T) {
	tests := []struct {
		name string
		call call
		want bool
	}{
		{"json", ecsCall("ListClusters", "{}"), true},
		{"query", formCall("sts", ""), true},
		{"unsigned query", call{header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, true},
		{"presigned", call{method: "GET", url: "/?X-Amz-Credential=a"}, true},
		{"cbor", cborCall("DeleteAlarms", ""), true},
		{"console", call{method: "GET", url: "/"}, false},
		{"registry", call{method: "GET", url: "/v2/", header: map[string]string{"Authorization": "Basic eA=="}}, false},
		{"registry upload", call{url: "/v2/a/blobs/uploads/", header: map[string]string{"Content-Type": "application/octet-stream"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got bool
			tt.call.send(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = wire.IsCall(r) }))
			if got != tt.want {
				t.Errorf("IsCall = %v, want %v", got, tt.want)
			}
		})
	}
}
