package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/roadstead/roadstead/agent/task"
)

// Faults performs the faults that tasks ask for in their own network. Starting one that runs and stopping one that does not
// succeed. All of one task are gone when it is.
type Faults struct {
	Start   func(v *task.View, f task.Fault) error
	Stop    func(v *task.View, f task.Fault) error
	Running func(v *task.View, f task.Fault) (bool, error)
}

// Bodies of requests (as the public agent documents them) [D].
type (
	blackholeRequest struct {
		Port            *uint16  `json:"Port"`
		Protocol        string   `json:"Protocol"`
		TrafficType     string   `json:"TrafficType"`
		SourcesToFilter []string `json:"SourcesToFilter"`
	}
	latencyRequest struct {
		DelayMilliseconds  *uint64  `json:"DelayMilliseconds"`
		JitterMilliseconds *uint64  `json:"JitterMilliseconds"`
		Sources            []string `json:"Sources"`
		SourcesToFilter    []string `json:"SourcesToFilter"`
	}
	lossRequest struct {
		LossPercent     *uint64  `json:"LossPercent"`
		Sources         []string `json:"Sources"`
		SourcesToFilter []string `json:"SourcesToFilter"`
	}
)

// faultAnswer is Status or Error.
type faultAnswer struct {
	Status string `json:"Status,omitempty"`
	Error  string `json:"Error,omitempty"`
}

func missing(name string) error { return fmt.Errorf("required parameter %s is missing", name) }
func invalid(value, name string) error {
	return fmt.Errorf("invalid value %s for parameter %s", value, name)
}

// prefixes reads addresses and blocks of addresses.
func prefixes(texts []string, name string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			ip, ipErr := netip.ParseAddr(text)
			if ipErr != nil || ip.Zone() != "" {
				return nil, invalid(text, name)
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func (q *blackholeRequest) fault() (f task.Fault, err error) {
	switch {
	case q.Port == nil:
		return f, missing("Port")
	case q.Protocol == "":
		return f, missing("Protocol")
	case q.TrafficType == "":
		return f, missing("TrafficType")
	case q.Protocol != "tcp" && q.Protocol != "udp":
		return f, invalid(q.Protocol, "Protocol")
	case q.TrafficType != "ingress" && q.TrafficType != "egress":
		return f, invalid(q.TrafficType, "TrafficType")
	}
	f = task.Fault{Kind: task.FaultBlackhole, Port: *q.Port, Protocol: q.Protocol, Traffic: q.TrafficType}
	f.Except, err = prefixes(q.SourcesToFilter, "SourcesToFilter")
	return f, err
}

func (q *latencyRequest) fault() (f task.Fault, err error) {
	switch {
	case q.DelayMilliseconds == nil:
		return f, missing("DelayMilliseconds")
	case q.JitterMilliseconds == nil:
		return f, missing("JitterMilliseconds")
	}
	const most = uint64(time.Hour / time.Millisecond) // longer ones would not fit into the kernel's numbers
	for name, ms := range map[string]uint64{"DelayMilliseconds": *q.DelayMilliseconds, "JitterMilliseconds": *q.JitterMilliseconds} {
		if ms > most {
			return f, invalid(strconv.FormatUint(ms, 10), name)
		}
	}
	f = task.Fault{Kind: task.FaultLatency, Delay: time.Duration(*q.DelayMilliseconds) * time.Millisecond, Jitter: time.Duration(*q.JitterMilliseconds) * time.Millisecond}
	return f, addSources(&f, q.Sources, q.SourcesToFilter)
}

func (q *lossRequest) fault() (f task.Fault, err error) {
	switch {
	case q.LossPercent == nil:
		return f, missing("LossPercent")
	case *q.LossPercent < 1 || *q.LossPercent > 100:
		return f, invalid(strconv.FormatUint(*q.LossPercent, 10), "LossPercent")
	}
	f = task.Fault{Kind: task.FaultPacketLoss, Percent: uint32(*q.LossPercent)}
	return f, addSources(&f, q.Sources, q.SourcesToFilter)
}

func addSources(f *task.Fault, sources, except []string) (err error) {
	if len(sources) == 0 {
		return missing("Sources")
	}
	if f.Sources, err = prefixes(sources, "Sources"); err == nil {
		f.Except, err = prefixes(except, "SourcesToFilter")
	}
	return err
}

// readFault reads a request's body.
func readFault(w http.ResponseWriter, r *http.Request, kind string) (task.Fault, error) {
	var q interface{ fault() (task.Fault, error) }
	switch kind {
	case task.FaultBlackhole:
		q = &blackholeRequest{}
	case task.FaultLatency:
		q = &latencyRequest{}
	default:
		q = &lossRequest{}
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(q); errors.Is(err, io.EOF) {
		return task.Fault{}, errors.New("required request body is missing")
	} else if err != nil {
		return task.Fault{}, err
	}
	return q.fault()
}

// faultRoutes are those that tasks start, stop and look at faults by.
func (s *Server) faultRoutes() {
	for _, kind := range []string{task.FaultBlackhole, task.FaultLatency, task.FaultPacketLoss} {
		for verb, do := range map[string]func(http.ResponseWriter, *task.View, task.Fault){"start": s.startFault, "stop": s.stopFault, "status": s.showFault} {
			needsBody := kind == task.FaultBlackhole || verb == "start"
			s.mux.HandleFunc("POST /api/{id}/fault/v1/"+kind+"/"+verb, func(w http.ResponseWriter, r *http.Request) {
				f := task.Fault{Kind: kind}
				if needsBody {
					var err error
					if f, err = readFault(w, r, kind); err != nil {
						answer(w, http.StatusBadRequest, faultAnswer{Error: err.Error()})
						return
					}
				}
				if v, ok := s.mayFault(w, r); ok {
					s.faults.Lock() // one at a time: they look before they change
					defer s.faults.Unlock()
					do(w, v, f)
				}
			})
		}
	}
}

// mayFault finds the asking task, if faults are allowed in it.
func (s *Server) mayFault(w http.ResponseWriter, r *http.Request) (*task.View, bool) {
	v, _, ok := s.asker(r)
	switch {
	case !ok:
		answer(w, http.StatusNotFound, faultAnswer{Error: unknownTask(r)})
	case !v.Task.FaultInjection:
		answer(w, http.StatusBadRequest, faultAnswer{Error: "enableFaultInjection is not enabled for task: " + v.Task.Arn})
	case v.Task.NetworkMode != "host" && v.Task.NetworkMode != "awsvpc":
		mode := v.Task.NetworkMode
		if mode == "" {
			mode = "bridge"
		}
		answer(w, http.StatusBadRequest, faultAnswer{Error: mode + " mode is not supported. Please use either host or awsvpc mode."})
	default:
		return &v, true
	}
	return nil, false
}

// startFault starts it, unless it or another one that disturbs the same packets runs.
func (s *Server) startFault(w http.ResponseWriter, v *task.View, f task.Fault) {
	if f.Kind != task.FaultBlackhole {
		for kind, text := range map[string]string{task.FaultLatency: "network latency", task.FaultPacketLoss: "network packet loss"} {
			if runs, err := s.cfg.Faults.Running(v, task.Fault{Kind: kind}); err != nil {
				s.faultFailed(w, v, err)
				return
			} else if runs {
				answer(w, http.StatusConflict, faultAnswer{Error: "There is already one " + text + " fault running"})
				return
			}
		}
	}
	if err := s.cfg.Faults.Start(v, f); err != nil {
		s.faultFailed(w, v, err)
		return
	}
	answer(w, http.StatusOK, faultAnswer{Status: "running"})
}

func (s *Server) stopFault(w http.ResponseWriter, v *task.View, f task.Fault) {
	if err := s.cfg.Faults.Stop(v, f); err != nil {
		s.faultFailed(w, v, err)
		return
	}
	answer(w, http.StatusOK, faultAnswer{Status: "stopped"})
}

func (s *Server) showFault(w http.ResponseWriter, v *task.View, f task.Fault) {
	runs, err := s.cfg.Faults.Running(v, f)
	switch {
	case err != nil:
		s.faultFailed(w, v, err)
	case runs:
		answer(w, http.StatusOK, faultAnswer{Status: "running"})
	default:
		answer(w, http.StatusOK, faultAnswer{Status: "not-running"})
	}
}

// faultFailed says no more than that to the task; the node's log has the cause.
func (s *Server) faultFailed(w http.ResponseWriter, v *task.View, err error) {
	s.cfg.Log.Error("inject a fault", "task", v.Task.Arn, "err", err)
	answer(w, http.StatusInternalServerError, faultAnswer{Error: "internal error"})
}
