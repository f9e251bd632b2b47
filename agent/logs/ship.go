package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/agent/logdriver"
	"github.com/roadstead/roadstead/model"
)

// ShipperConfig says how lines reach CloudWatch Logs. Dir and Call are required.
type ShipperConfig struct {
	Dir string // what has been sent, a file a container
	// Call calls an operation of CloudWatch Logs for the task with the ARN; refusals are *model.Error.
	Call func(ctx context.Context, task, op string, in, out any) error
	// Driver makes the driver of a Receiver; nil means logdriver.New.
	Driver func(name string, options map[string]string, f logdriver.Facts) (logdriver.Driver, error)
	Log    *slog.Logger // nil means slog.Default()
}

// Shipper sends what containers write to where their log drivers send it, out of the files that the keeper fills: what could not be
// sent waits there, for as long as the file is kept.
type Shipper struct {
	cfg ShipperConfig
	add chan *shipment

	mu     sync.Mutex
	active map[string]*shipment // by container; guarded by mu
}

// Destination is where a container's lines go: a stream of CloudWatch Logs, in the words of the options of awslogs, or a Receiver.
type Destination struct {
	Group       string `json:"group"`
	Stream      string `json:"stream"`
	CreateGroup bool   `json:"createGroup,omitempty"`
	StreamThere bool   `json:"streamThere,omitempty"` // the stream is somebody else's, who makes it
	Task        string `json:"task,omitempty"`        // ARN of the task, with whose rights it is sent
	Begins      string `json:"begins,omitempty"`      // a regular expression: lines that do not match belong to the one before

	Receiver *Receiver `json:"receiver,omitempty"`
}

// ReadDestination reads the options of awslogs (SEMANTICS §13.7). The stream is PREFIX/CONTAINER/TASKID, or without a prefix the
// one that is named, else stream. Options that cannot be had are refused. The Region is not looked at: there is one; nor are sizes of
// buffers and times, since lines wait in a file.
func ReadDestination(options map[string]string, container, taskID, stream string) (Destination, error) {
	d := Destination{Group: options["awslogs-group"], Stream: stream, CreateGroup: strings.EqualFold(options["awslogs-create-group"], "true"),
		StreamThere: strings.EqualFold(options["awslogs-create-stream"], "false")}
	if s := options["awslogs-stream"]; s != "" {
		d.Stream = s
	}
	if p := options["awslogs-stream-prefix"]; p != "" {
		d.Stream = p + "/" + container + "/" + taskID
	}
	for option, why := range map[string]string{
		"awslogs-endpoint":             "sends logs to its own endpoint only",
		"awslogs-credentials-endpoint": "sends logs with the task's execution role only",
		"awslogs-format":               "does not read metrics out of lines",
	} {
		if v := options[option]; v != "" {
			return d, fmt.Errorf("roadstead %s: remove the option %s (%s)", why, option, v)
		}
	}
	d.Begins = options["awslogs-multiline-pattern"]
	if f := options["awslogs-datetime-format"]; f != "" {
		d.Begins = datetimePattern(f)
	}
	if _, err := regexp.Compile(d.Begins); err != nil {
		return d, fmt.Errorf("awslogs could not parse multiline pattern key %q: %w", d.Begins, err)
	}
	return d, nil
}

// datetimePattern makes a regular expression of a format of strftime. Fields that it does not know stand for themselves.
func datetimePattern(format string) string {
	fields := map[byte]string{
		'A': `(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day`, 'a': `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)`, 'w': `[0-6]`, 'd': `[0-3][0-9]`,
		'b': `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)`, 'm': `[01][0-9]`, 'Y': `[0-9]{4}`, 'y': `[0-9]{2}`, 'H': `[0-2][0-9]`,
		'B': `(?:January|February|March|April|May|June|July|August|September|October|November|December)`,
		'I': `[01][0-9]`, 'p': `[AP]M`, 'M': `[0-5][0-9]`, 'S': `[0-5][0-9]`, 'L': `\.[0-9]{3}`, 'f': `[0-9]{6}`, 'z': `[+-][0-9]{4}`,
		'Z': `[A-Z]{1,4}`, 'j': `[0-3][0-9]{2}`, '%': `%`,
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] == '%' && i+1 < len(format) && fields[format[i+1]] != "" {
			i++
			b.WriteString(fields[format[i]])
			continue
		}
		b.WriteString(regexp.QuoteMeta(format[i : i+1]))
	}
	return b.String()
}

// NewShipper makes the directory; Run sends.
func NewShipper(cfg ShipperConfig) (*Shipper, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Driver == nil {
		cfg.Driver = logdriver.New
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of log shipments: %w", err)
	}
	return &Shipper{cfg: cfg, add: make(chan *shipment), active: map[string]*shipment{}}, nil
}

// File is where the Shipper writes down how far the container's lines have been taken (Limits.Sent).
func (s *Shipper) File(id string) string { return filepath.Join(s.cfg.Dir, id+".json") }

// openPatience is how long a container waits for a control plane that is away. It starts without: its lines wait.
const openPatience = 5 * time.Second

// Open begins to send the file of a container, which the keeper may make later, from its beginning; if it is sent already nothing
// is new. Without the group, which is made if the options wish so, it fails with AWS's words; with a receiver that is not there or
// options that cannot be had with Docker's. It needs Run.
func (s *Shipper) Open(ctx context.Context, id, path string, d Destination) error {
	first, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	sh := newShipment(s)
	sh.ID, sh.Path, sh.Destination = id, path, d
	if d.Receiver != nil {
		err := sh.makeDriver()
		if err == nil {
			err = sh.driver.Connect(first)
		}
		if err != nil {
			sh.close()
			return fmt.Errorf("failed to initialize logging driver: %w", err)
		}
	} else if err := s.openStream(first, id, d); err != nil {
		return err
	}
	if _, err := os.Stat(sh.file()); err != nil {
		if err := sh.save(); err != nil {
			return err
		}
	}
	select {
	case s.add <- sh:
		return nil
	case <-ctx.Done():
		sh.close()
		return ctx.Err()
	}
}

// openStream makes the stream. A control plane that is away is no obstacle.
func (s *Shipper) openStream(ctx context.Context, id string, d Destination) error {
	err := s.ensure(ctx, d)
	if refusal, ok := refused(err); ok {
		return fmt.Errorf("failed to initialize logging driver: failed to create Cloudwatch log stream: %s: %s", refusal.Code, refusal.Message)
	}
	if err != nil {
		s.cfg.Log.Warn("log lines wait for the control plane", "container", id, "group", d.Group, "err", err)
	}
	return nil
}

// flushLook is how often Flush looks.
const flushLook = 10 * time.Millisecond

// Flush waits until all that is in the file of the container has been taken, or ctx ends.
func (s *Shipper) Flush(ctx context.Context, id string) error {
	for {
		s.mu.Lock()
		sh := s.active[id]
		s.mu.Unlock()
		if sh == nil {
			return nil
		}
		info, err := os.Stat(sh.Path)
		if err != nil || sh.taken.Load() >= info.Size() {
			return nil
		}
		select {
		case sh.nudge <- struct{}{}:
		default:
		}
		if !pause(ctx, flushLook) {
			return ctx.Err()
		}
	}
}

// ensure makes the stream, and the group if it may.
func (s *Shipper) ensure(ctx context.Context, d Destination) error {
	stream := map[string]string{"logGroupName": d.Group, "logStreamName": d.Stream}
	if d.StreamThere {
		if !d.CreateGroup {
			return nil
		}
		return exists(s.cfg.Call(ctx, d.Task, "CreateLogGroup", map[string]string{"logGroupName": d.Group}, nil))
	}
	err := exists(s.cfg.Call(ctx, d.Task, "CreateLogStream", stream, nil))
	if !d.CreateGroup || !isCode(err, "ResourceNotFoundException") {
		return err
	}
	if err := exists(s.cfg.Call(ctx, d.Task, "CreateLogGroup", map[string]string{"logGroupName": d.Group}, nil)); err != nil {
		return err
	}
	return exists(s.cfg.Call(ctx, d.Task, "CreateLogStream", stream, nil))
}

// refused says that a call was answered, and that the same call would be answered so again.
func refused(err error) (*model.Error, bool) {
	e, ok := errors.AsType[*model.Error](err)
	if !ok {
		return nil, false
	}
	switch e.Code {
	case "ServerException", "ServiceUnavailableException", "ServiceUnavailable", "InternalFailure", "ThrottlingException":
		return nil, false
	}
	return e, true
}

// exists takes what is there already for made.
func exists(err error) error {
	if isCode(err, "ResourceAlreadyExistsException") {
		return nil
	}
	return err
}

func isCode(err error, code string) bool {
	e, ok := errors.AsType[*model.Error](err)
	return ok && e.Code == code
}

// Run sends until ctx ends, beginning with what an earlier process left.
func (s *Shipper) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ended := make(chan string)
	begin := func(sh *shipment) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.active[sh.ID] != nil {
			sh.close()
			return
		}
		s.active[sh.ID] = sh
		wg.Go(func() {
			sh.run(ctx)
			select {
			case ended <- sh.ID:
			case <-ctx.Done():
			}
		})
	}
	left, err := s.left()
	if err != nil {
		return err
	}
	for _, sh := range left {
		begin(sh)
	}
	for {
		select {
		case sh := <-s.add:
			begin(sh)
		case id := <-ended:
			s.mu.Lock()
			delete(s.active, id)
			s.mu.Unlock()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// left are the shipments that have not come to their end.
func (s *Shipper) left() ([]*shipment, error) {
	files, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var all []*shipment
	for _, f := range files {
		name := filepath.Join(s.cfg.Dir, f.Name())
		if filepath.Ext(name) != ".json" {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read log shipment: %w", err)
		}
		sh := newShipment(s)
		if err = json.Unmarshal(b, sh); err == nil && sh.Receiver != nil {
			err = sh.makeDriver()
		}
		if err != nil { // torn by a machine that lost power
			s.cfg.Log.Warn("drop log shipment", "file", name, "err", err)
			os.Remove(name)
			continue
		}
		all = append(all, sh)
	}
	return all, nil
}
