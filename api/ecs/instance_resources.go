package ecs

import (
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// readResources reads what an agent registers (SEMANTICS §2.3): CPU, MEMORY, PORTS, PORTS_UDP and GPU.
func readResources(r *model.Resources, total []types.Resource) error {
	for _, t := range total {
		var err error
		switch value(t.Name) {
		case "CPU":
			r.CPU = amount(t)
		case "MEMORY":
			r.Memory = amount(t)
		case "PORTS":
			r.PortsTCP, err = readPorts(t.StringSetValue)
		case "PORTS_UDP":
			r.PortsUDP, err = readPorts(t.StringSetValue)
		case "GPU":
			for _, id := range t.StringSetValue {
				if !slices.Contains(r.GPUs, id) {
					r.GPUs = append(r.GPUs, id)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	if r.CPU < 0 || r.Memory < 0 {
		return invalid("Resources cannot be negative.") // [I]
	}
	return nil
}

// amount is the number of a resource, whichever member it came in.
func amount(r types.Resource) int64 {
	switch value(r.Type) {
	case "LONG":
		return r.LongValue
	case "DOUBLE":
		return int64(r.DoubleValue)
	}
	return int64(r.IntegerValue)
}

func readPorts(texts []string) ([]int32, error) {
	ports := make([]int32, 0, len(texts))
	for _, s := range texts {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return nil, invalid("Invalid port '%s'.", s) // [I]
		}
		ports = append(ports, int32(n))
	}
	slices.Sort(ports)
	return slices.Compact(ports), nil
}

// resourceViews shows what an instance registered.
func resourceViews(r *model.Resources) []types.Resource {
	out := []types.Resource{numberView("CPU", r.CPU), numberView("MEMORY", r.Memory),
		setView("PORTS", portTexts(r.PortsTCP)), setView("PORTS_UDP", portTexts(r.PortsUDP))}
	if len(r.GPUs) > 0 {
		out = append(out, setView("GPU", slices.Clone(r.GPUs)))
	}
	return out
}

// remaining is what an instance has left (SEMANTICS §4.6). The ports that remain are, in AWS's way of speaking, those
// that are taken: the machine's own and the tasks' [O].
func remaining(i *model.Instance, used state.Usage) *model.Resources {
	return &model.Resources{
		CPU: i.Resources.CPU - used.CPU, Memory: i.Resources.Memory - used.Memory,
		PortsTCP: union(i.Resources.PortsTCP, used.PortsTCP), PortsUDP: union(i.Resources.PortsUDP, used.PortsUDP),
	}
}

func union(a, b []int32) []int32 {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// remainingViews shows what an instance has left; all of its GPUs in use is an empty set, not an absent one.
func remainingViews(i *model.Instance, used state.Usage) []types.Resource {
	out := resourceViews(remaining(i, used))
	if len(i.Resources.GPUs) > 0 {
		out = append(out, setView("GPU", slices.DeleteFunc(slices.Clone(i.Resources.GPUs), func(id string) bool {
			return slices.Contains(used.GPUs, id)
		})))
	}
	return out
}

func numberView(name string, n int64) types.Resource {
	kind := "INTEGER"
	return types.Resource{Name: &name, Type: &kind, IntegerValue: int32(n)}
}

func setView(name string, set []string) types.Resource {
	kind := "STRINGSET"
	return types.Resource{Name: &name, Type: &kind, StringSetValue: list(set)}
}

func portTexts(ports []int32) []string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = strconv.Itoa(int(p))
	}
	return out
}
