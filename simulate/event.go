package simulate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event is a line of the script: something that happens once at From, or every so often from From until Until.
type Event struct {
	Text  string // what happens: "run 3 web spread host"
	Line  int    // in the file, 0 for one of the command line
	From  time.Duration
	Every time.Duration // 0: once
	Until time.Duration // excluded; 0: the end

	do action
}

// action is what an event does; what it has to draw comes from the occasion.
type action func(w *world, o *occasion)

// Add appends an event to the script. Its verbs are those of the reference in docs/simulate.md.
func (f *File) Add(line string, number int) error {
	e := Event{Line: number}
	in, err := split(line)
	if err == nil {
		err = f.parse(&e, in)
	}
	if err != nil {
		return &FileError{number, fmt.Sprintf("event %q: %v", line, err)}
	}
	f.Events = append(f.Events, e)
	return nil
}

func (f *File) parse(e *Event, in *words) (err error) {
	switch when := in.next(); when {
	case "at":
		e.From, err = moment(in.next())
	case "every":
		if e.Every, err = duration(in.next()); err == nil && e.Every < time.Millisecond {
			err = fmt.Errorf("expected at least 1ms after every")
		}
		for err == nil && (in.peek() == "from" || in.peek() == "until") {
			edge := &e.From
			if in.next() == "until" {
				edge = &e.Until
			}
			*edge, err = moment(in.next())
		}
	default:
		return fmt.Errorf("%q: expected at TIME or every DURATION first", when)
	}
	if err != nil {
		return err
	}
	e.Text = in.rest()
	verb := in.next()
	read, ok := verbs()[verb]
	if !ok {
		return fmt.Errorf("%q: expected one of %s", verb, strings.Join(sortedVerbs(), ", "))
	}
	if e.do, err = read(f, in); err != nil {
		return err
	}
	if more := in.rest(); more != "" {
		return fmt.Errorf("%q: expected nothing more", more)
	}
	return nil
}

// verbs are the events there are, each with what reads the rest of its line.
func verbs() map[string]func(*File, *words) (action, error) {
	return map[string]func(*File, *words) (action, error){
		"run": readRun, "stop": readStop,
		"scale": readScale, "deploy": readDeploy, "delete": readDelete,
		"join":       readJoin,
		"kill":       readFault((*world).kill, (*world).restart),
		"return":     readFault((*world).restart, nil),
		"partition":  readFault((*world).cut, (*world).heal),
		"heal":       readFault((*world).heal, nil),
		"drain":      readFault((*world).drain, (*world).undrain),
		"undrain":    readFault((*world).undrain, nil),
		"deregister": readFault((*world).deregister, nil),
		"leader":     readLeader,
	}
}

func sortedVerbs() []string {
	var out []string
	for v := range verbs() {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// readStop reads "N|all FAMILY".
func readStop(f *File, in *words) (action, error) {
	count, kind, err := in.some(f)
	return func(w *world, o *occasion) { w.stopTasks(o, count, kind) }, err
}

// readJoin reads "N GROUP".
func readJoin(f *File, in *words) (action, error) {
	count, err := whole(in.next(), 1, 100_000)
	if err != nil {
		return nil, err
	}
	name := in.next()
	g := f.group(name)
	if g == nil {
		return nil, fmt.Errorf("%q: expected a group of nodes", name)
	}
	return func(w *world, _ *occasion) { w.join(g, int(count)) }, nil
}

// readLeader reads "fails [for D]".
func readLeader(_ *File, in *words) (action, error) {
	if verb := in.next(); verb != "fails" {
		return nil, fmt.Errorf("%q: expected fails", verb)
	}
	gone, err := in.period(5 * time.Second)
	return func(w *world, _ *occasion) { w.leaderFails(gone) }, err
}

// readFault reads "NODES [for D]": what is done to each of the nodes, and what undoes it after a while.
func readFault(do, undo func(*world, *node)) func(*File, *words) (action, error) {
	return func(f *File, in *words) (action, error) {
		t, err := in.target(f)
		if err != nil {
			return nil, err
		}
		back := time.Duration(0)
		if undo != nil {
			if back, err = in.period(0); err != nil {
				return nil, err
			}
		}
		return func(w *world, o *occasion) {
			for _, n := range t.pick(w, o) {
				do(w, n)
				if back > 0 {
					w.after(back, func() { undo(w, n) })
				}
			}
		}, nil
	}
}

// target is the nodes that an event is about.
type target struct {
	names  []string
	zone   string
	group  string
	random int
}

// target reads "n1 n2", "zone a", "group n" or "random 3".
func (in *words) target(f *File) (target, error) {
	var t target
	switch in.peek() {
	case "zone":
		in.next()
		t.zone = in.next()
		for i := range f.Nodes {
			if slices.Contains(f.Nodes[i].Zones, t.zone) {
				return t, nil
			}
		}
		return t, fmt.Errorf("%q: expected a zone in which there are nodes", t.zone)
	case "group":
		in.next()
		if t.group = in.next(); f.group(t.group) == nil {
			return t, fmt.Errorf("%q: expected a group of nodes", t.group)
		}
		return t, nil
	case "random":
		in.next()
		n, err := whole(in.next(), 1, 100_000)
		t.random = int(n)
		return t, err
	}
	for in.peek() != "" && in.peek() != "for" {
		name := in.next()
		group := strings.TrimRight(name, "0123456789")
		if n, err := strconv.Atoi(name[len(group):]); err != nil || n == 0 || f.group(group) == nil {
			return t, fmt.Errorf("%q: expected a node such as n1, or zone Z, group G or random N", name)
		}
		t.names = append(t.names, name)
	}
	if len(t.names) == 0 {
		return t, fmt.Errorf("expected nodes such as n1 n2, zone Z, group G or random N")
	}
	return t, nil
}

// pick returns the nodes that are there now.
func (t *target) pick(w *world, o *occasion) []*node {
	var out []*node
	if t.random > 0 {
		for _, n := range w.nodes {
			if n.up && !n.left {
				out = append(out, n)
			}
		}
		o.draw(0).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return out[:min(t.random, len(out))]
	}
	for _, n := range w.nodes {
		if n.zone == t.zone || n.group.Name == t.group || slices.Contains(t.names, n.name) {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		w.tell("there is no such node: %s", strings.Join(t.names, " "))
	}
	return out
}
