package stats

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Dirs are the directories of one container's cgroup: of version 1 by controller ("cpu", "cpuacct", "memory", "blkio",
// "pids"), of version 2 one, under "".
type Dirs map[string]string

// tick is a unit of /proc/stat and cpuacct.stat in ns: Linux tells user space 100 a second, whatever it counts in.
const tick = 10_000_000

// read is the text of a file of a controller, "" if there is none: what the kernel does not count is not shown.
func (d Dirs) read(controller, file string) string {
	dir, ok := d[controller]
	if !ok {
		return ""
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number reads the first of the files that holds one; "max" and other words are 0.
func (d Dirs) number(controller string, files ...string) uint64 {
	for _, f := range files {
		if n := number(d.read(controller, f)); n > 0 {
			return n
		}
	}
	return 0
}

func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// table reads lines of a name and a number.
func table(text string) map[string]uint64 {
	out := map[string]uint64{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 {
			out[f[0]] = number(f[1])
		}
	}
	return out
}

// unified says whether the directories are version 2's.
func (d Dirs) unified() bool { return d[""] != "" }

// sample reads what is sampled again and again: few files.
func (d Dirs) sample() Usage {
	var u Usage
	var memory map[string]uint64
	if d.unified() {
		u.CPU = table(d.read("", "cpu.stat"))["usage_usec"] * 1000
		u.Memory, memory = d.number("", "memory.current"), table(d.read("", "memory.stat"))
	} else {
		u.CPU = d.number("cpuacct", "cpuacct.usage")
		u.Memory, memory = d.number("memory", "memory.usage_in_bytes"), table(d.read("memory", "memory.stat"))
	}
	u.Memory -= min(u.Memory, cmp.Or(memory["total_inactive_file"], memory["inactive_file"]))
	for _, b := range d.blocks().Bytes {
		switch b.Op {
		case "read":
			u.Read += b.Value
		case "write":
			u.Written += b.Value
		}
	}
	return u
}

// cpu reads the processor's part of what Docker shows.
func (d Dirs) cpu() CPU {
	var c CPU
	if d.unified() {
		t := table(d.read("", "cpu.stat"))
		c.Usage = CPUUsage{Total: t["usage_usec"] * 1000, Kernel: t["system_usec"] * 1000, User: t["user_usec"] * 1000}
		c.Throttling = Throttling{Periods: t["nr_periods"], Throttled: t["nr_throttled"], Time: t["throttled_usec"] * 1000}
		return c
	}
	ticks, t := table(d.read("cpuacct", "cpuacct.stat")), table(d.read("cpu", "cpu.stat"))
	c.Usage = CPUUsage{Total: d.number("cpuacct", "cpuacct.usage"), Kernel: ticks["system"] * tick, User: ticks["user"] * tick}
	for f := range strings.FieldsSeq(d.read("cpuacct", "cpuacct.usage_percpu")) {
		c.Usage.PerCPU = append(c.Usage.PerCPU, number(f))
	}
	c.Throttling = Throttling{Periods: t["nr_periods"], Throttled: t["nr_throttled"], Time: t["throttled_time"]}
	return c
}

// memory reads the memory's part; what has no limit of its own has the machine's.
func (d Dirs) memory(machine uint64) Memory {
	var m Memory
	if d.unified() {
		m = Memory{
			Usage: d.number("", "memory.current"), Max: d.number("", "memory.peak"), Limit: d.number("", "memory.max"),
			Stats: table(d.read("", "memory.stat")),
		}
	} else {
		m = Memory{
			Usage: d.number("memory", "memory.usage_in_bytes"), Max: d.number("memory", "memory.max_usage_in_bytes"),
			Failures: d.number("memory", "memory.failcnt"), Limit: d.number("memory", "memory.limit_in_bytes"),
			Stats: table(d.read("memory", "memory.stat")),
		}
	}
	if m.Limit == 0 || machine > 0 && m.Limit > machine {
		m.Limit = machine
	}
	return m
}

// blocks reads the block devices' part.
func (d Dirs) blocks() Blocks {
	if d.unified() {
		return blocksV2(d.read("", "io.stat"))
	}
	const bytes, ios = "blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced"
	return Blocks{
		Bytes: blocksV1(cmp.Or(d.read("blkio", bytes+"_recursive"), d.read("blkio", bytes))),
		IOs:   blocksV1(cmp.Or(d.read("blkio", ios+"_recursive"), d.read("blkio", ios))),
	}
}

// blocksV1 reads lines such as "254:0 Read 4096"; the last one, of all devices, is left out.
func blocksV1(text string) []Block {
	var out []Block
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		b, ok := device(f[0])
		if ok {
			b.Op, b.Value = strings.ToLower(f[1]), number(f[2])
			out = append(out, b)
		}
	}
	return out
}

// blocksV2 reads lines such as "254:0 rbytes=8192 wbytes=0 rios=2 wios=0 dbytes=0 dios=0".
func blocksV2(text string) Blocks {
	var out Blocks
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		b, ok := device(f[0])
		if !ok {
			continue
		}
		for _, pair := range f[1:] {
			name, value, _ := strings.Cut(pair, "=")
			b.Value = number(value)
			switch name {
			case "rbytes", "wbytes":
				b.Op = map[byte]string{'r': "read", 'w': "write"}[name[0]]
				out.Bytes = append(out.Bytes, b)
			case "rios", "wios":
				b.Op = map[byte]string{'r': "read", 'w': "write"}[name[0]]
				out.IOs = append(out.IOs, b)
			}
		}
	}
	return out
}

// device reads "254:0".
func device(text string) (Block, bool) {
	major, minor, ok := strings.Cut(text, ":")
	return Block{Major: number(major), Minor: number(minor)}, ok
}

// pids reads how many processes there are and may be.
func (d Dirs) pids() PIDs {
	controller := "pids"
	if d.unified() {
		controller = ""
	}
	return PIDs{Current: d.number(controller, "pids.current"), Limit: d.number(controller, "pids.max")}
}
