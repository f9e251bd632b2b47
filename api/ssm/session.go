package ssm

import (
	"context"
	"slices"
	"strconv"

	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// Target is a container: "ecs:CLUSTER_TASK_RUNTIMEID" in requests.
type Target = model.SessionTarget

// SessionRequest asks for a session at a target, with a command or with a port that is forwarded.
type SessionRequest struct {
	Target  Target
	Command string // words are split as ExecuteCommand does
	Port    *Port
}

// Port is what the connections of a session go to.
type Port struct {
	Host   string // as the container sees it: "localhost" is itself
	Number uint16
	Local  string // where the client listens; it understands it
}

// Session is one that waits for its client.
type Session struct{ ID, StreamURL, Token string }

func (a *api) serveSessions(m *wire.Mux) {
	wire.Handle(m, "StartSession", a.startSession)
	wire.Handle(m, "GetConnectionStatus", a.getConnectionStatus)
	wire.Handle(m, "ResumeSession", a.resumeSession)
	wire.Handle(m, "TerminateSession", a.terminateSession)
	wire.Handle(m, "DescribeSessions", a.describeSessions)
}

// shell is what a session without a document runs, as AWS's agent does in a container.
const shell = "sh"

// startSession opens a session at a container (SEMANTICS §13.8). A document says what it does.
func (a *api) startSession(ctx context.Context, in *sdk.StartSessionInput) (*sdk.StartSessionOutput, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, errNoPrincipal
	}
	r, err := sessionRequest(in.DocumentName, in.Parameters)
	if err != nil {
		return nil, err
	}
	t, ok := model.ParseSessionTarget(*in.Target)
	if !ok {
		return nil, model.Errorf("TargetNotConnected", "%s is not connected.", *in.Target) // [O]
	}
	r.Target = t
	x, err := a.Start(ctx, p.Scope(), r)
	if err != nil {
		return nil, err
	}
	return &sdk.StartSessionOutput{SessionId: &x.ID, StreamUrl: &x.StreamURL, TokenValue: &x.Token}, nil
}

// sessionRequest is what a document and its parameters ask for. We have AWS's own documents of kind Session.
func sessionRequest(document *string, parameters map[string][]string) (SessionRequest, error) {
	name := "SSM-SessionManagerRunShell"
	if document != nil {
		name = *document
	}
	args := arguments{document: name, values: parameters}
	switch name {
	case "SSM-SessionManagerRunShell":
		return SessionRequest{Command: shell}, args.only()
	case "AWS-StartInteractiveCommand":
		command, err := args.required("command")
		if err != nil {
			return SessionRequest{}, err
		}
		return SessionRequest{Command: command}, args.only("command")
	case "AWS-StartPortForwardingSession":
		return args.port("localhost", "portNumber", "localPortNumber")
	case "AWS-StartPortForwardingSessionToRemoteHost":
		host, err := args.required("host")
		if err != nil {
			return SessionRequest{}, err
		}
		return args.port(host, "host", "portNumber", "localPortNumber")
	}
	return SessionRequest{}, model.Errorf("InvalidDocument", "Document with name %s does not exist.", name) // [O]
}

// arguments are the parameters of a document.
type arguments struct {
	document string
	values   map[string][]string
}

func (a arguments) invalid(format string, args ...any) error {
	return model.Errorf("InvalidParameters", "Document "+a.document+": "+format, args...) // [I]; the code is [D]
}

// only refuses parameters that the document has not.
func (a arguments) only(names ...string) error {
	for name := range a.values {
		if !slices.Contains(names, name) {
			return a.invalid("there is no parameter %s.", name)
		}
	}
	return nil
}

// optional is a parameter's one value, "" if it is not there.
func (a arguments) optional(name string) (string, error) {
	switch vs := a.values[name]; len(vs) {
	case 0:
		return "", nil
	case 1:
		return vs[0], nil
	}
	return "", a.invalid("parameter %s has more than one value.", name)
}

func (a arguments) required(name string) (string, error) {
	v, err := a.optional(name)
	if err == nil && v == "" {
		err = a.invalid("parameter %s is required.", name)
	}
	return v, err
}

func (a arguments) port(host string, names ...string) (SessionRequest, error) {
	if err := a.only(names...); err != nil {
		return SessionRequest{}, err
	}
	text, err := a.optional("portNumber")
	if err != nil {
		return SessionRequest{}, err
	}
	if text == "" {
		text = "80" // [D] the document's default
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return SessionRequest{}, a.invalid("%s is no port.", text)
	}
	local, err := a.optional("localPortNumber")
	if err != nil {
		return SessionRequest{}, err
	}
	if _, err := strconv.ParseUint(local, 10, 16); local != "" && err != nil {
		return SessionRequest{}, a.invalid("%s is no port.", local)
	}
	return SessionRequest{Port: &Port{Host: host, Number: uint16(n), Local: local}}, nil
}

// getConnectionStatus says whether a session could be started.
func (a *api) getConnectionStatus(ctx context.Context, in *sdk.GetConnectionStatusInput) (*sdk.GetConnectionStatusOutput, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, errNoPrincipal
	}
	out := &sdk.GetConnectionStatusOutput{Target: in.Target, Status: types.ConnectionStatusNotConnected}
	if t, ok := model.ParseSessionTarget(*in.Target); ok && a.Connected(p.Scope(), t) {
		out.Status = types.ConnectionStatusConnected
	}
	return out, nil
}

// resumeSession answers without a token when the session is over: the plugin then says that it timed out, and ends well [run].
func (a *api) resumeSession(ctx context.Context, in *sdk.ResumeSessionInput) (*sdk.ResumeSessionOutput, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, errNoPrincipal
	}
	out := &sdk.ResumeSessionOutput{SessionId: in.SessionId}
	if url, token, ok := a.Resume(ctx, p.Scope(), *in.SessionId); ok {
		out.StreamUrl, out.TokenValue = &url, &token
	}
	return out, nil
}

func (a *api) terminateSession(ctx context.Context, in *sdk.TerminateSessionInput) (*sdk.TerminateSessionOutput, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, errNoPrincipal
	}
	if err := a.Terminate(ctx, p.Scope(), *in.SessionId); err != nil {
		return nil, err
	}
	return &sdk.TerminateSessionOutput{SessionId: in.SessionId}, nil
}
