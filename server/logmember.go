package server

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
)

func (s *Server) logRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+logsPath+"/promise", s.member(s.promiseLogs))
	mux.HandleFunc("POST "+logsPath+"/copy/{group}", s.member(s.acceptLogs))
	mux.HandleFunc("POST "+logsPath+"/since/{group}", s.member(s.logsSince))
	mux.HandleFunc("POST "+logsPath+"/drop/{group}", s.member(s.dropLogs))
}

// member wraps a call of another member.
func (s *Server) member(call func(r *http.Request) (any, error)) http.HandlerFunc {
	return s.operatorUpTo(maxCopyBody, s.deployment(func(r *http.Request, _ auth.Principal) (any, error) { return call(r) }))
}

func decodeBody(r *http.Request, into any) error {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return model.Errorf("InvalidParameterException", "The body is no JSON: %s.", err)
	}
	return nil
}

// promiseLogs has this member take nothing more of earlier leaders.
func (s *Server) promiseLogs(r *http.Request) (any, error) {
	var in promise
	if err := decodeBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.logStore.Promise(in.Epoch); err != nil && !(errors.Is(err, logstore.ErrEpoch) && s.logStore.Epoch() == in.Epoch) {
		if errors.Is(err, logstore.ErrEpoch) {
			return promise{Epoch: s.logStore.Epoch()}, nil
		}
		return nil, err
	}
	at, err := s.logStore.Positions()
	return promise{in.Epoch, at}, err
}

// acceptLogs takes what the leader brings.
func (s *Server) acceptLogs(r *http.Request) (any, error) {
	var in copied
	if err := decodeBody(r, &in); err != nil {
		return nil, err
	}
	if promised := s.logStore.Epoch(); promised != in.Epoch {
		return position{Epoch: promised}, nil
	}
	g, err := s.logStore.Group(r.PathValue("group"))
	if err != nil {
		return nil, err
	}
	at, err := g.Accept(in.Epoch, in.After, in.Frames, in.To)
	switch {
	case errors.Is(err, logstore.ErrEpoch):
		return position{Epoch: s.logStore.Epoch()}, nil
	case errors.Is(err, logstore.ErrBehind):
		err = nil
	}
	return position{in.Epoch, at}, err
}

// dropLogs removes a group of which the leader has no row.
func (s *Server) dropLogs(r *http.Request) (any, error) {
	var in promise
	if err := decodeBody(r, &in); err != nil {
		return nil, err
	}
	if promised := s.logStore.Epoch(); promised != in.Epoch {
		return position{Epoch: promised}, nil
	}
	return position{Epoch: in.Epoch}, s.logStore.Remove(r.PathValue("group"))
}

// logsSince answers a new leader.
func (s *Server) logsSince(r *http.Request) (any, error) {
	var in copied
	if err := decodeBody(r, &in); err != nil {
		return nil, err
	}
	g, err := s.logStore.Group(r.PathValue("group"))
	if err != nil {
		return nil, err
	}
	in.Frames, in.To, in.More, err = g.Since(in.After, copyBytes)
	if errors.Is(err, logstore.ErrShut) {
		return copied{Shut: err.Error()}, nil
	}
	return in, err
}
