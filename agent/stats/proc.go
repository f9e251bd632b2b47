package stats

import "strings"

// Interface counts what went through one network interface.
type Interface struct {
	RxBytes   uint64 `json:"rx_bytes"`
	RxPackets uint64 `json:"rx_packets"`
	RxErrors  uint64 `json:"rx_errors"`
	RxDropped uint64 `json:"rx_dropped"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxPackets uint64 `json:"tx_packets"`
	TxErrors  uint64 `json:"tx_errors"`
	TxDropped uint64 `json:"tx_dropped"`
}

func (i *Interface) add(o Interface) {
	i.RxBytes += o.RxBytes
	i.RxPackets += o.RxPackets
	i.RxErrors += o.RxErrors
	i.RxDropped += o.RxDropped
	i.TxBytes += o.TxBytes
	i.TxPackets += o.TxPackets
	i.TxErrors += o.TxErrors
	i.TxDropped += o.TxDropped
}

// interfaces reads /proc/PID/net/dev, the interfaces of the network namespace that a process is in, without loopback.
func interfaces(text string) map[string]Interface {
	out := map[string]Interface{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if name = strings.TrimSpace(name); !ok || len(f) < 16 || name == "lo" {
			continue
		}
		out[name] = Interface{
			RxBytes: number(f[0]), RxPackets: number(f[1]), RxErrors: number(f[2]), RxDropped: number(f[3]),
			TxBytes: number(f[8]), TxPackets: number(f[9]), TxErrors: number(f[10]), TxDropped: number(f[11]),
		}
	}
	return out
}

// systemCPU is the time that all processors of the machine have spent, in ns, of the first line of /proc/stat, as Docker
// counts it: without what guests got, which is in user time already.
func systemCPU(text string) uint64 {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	var sum uint64
	for _, ticks := range f[min(1, len(f)):min(8, len(f))] {
		sum += number(ticks)
	}
	return sum * tick
}
