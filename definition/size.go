package definition

import (
	"math"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// CPU units of a task outside FARGATE (SEMANTICS §4.2) [D].
const (
	unitsPerCPU = 1024
	mibPerGB    = 1024
	minTaskCPU  = 128
	maxTaskCPU  = 196608
)

// Wordings of a task size that cannot be read [O].
const (
	badCPU    = "Invalid 'cpu' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
	badMemory = "Invalid 'memory' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
)

// normalizeSize turns the task's cpu and memory into integers as text: "1 vCPU" is "1024", ".5 GB" is "512"
// (SEMANTICS §2.4) [D].
func normalizeSize(td *types.TaskDefinition) error {
	if td.Cpu != nil {
		n, ok := parseAmount(*td.Cpu, unitsPerCPU, "vcpu")
		if !ok || n < minTaskCPU || n > maxTaskCPU {
			return refuse(badCPU)
		}
		td.Cpu = new(strconv.FormatInt(n, 10))
	}
	if td.Memory != nil {
		n, ok := parseAmount(*td.Memory, mibPerGB, "gb")
		if !ok || n < minMemory || n > math.MaxInt32 {
			return refuse(badMemory)
		}
		td.Memory = new(strconv.FormatInt(n, 10))
	}
	return nil
}

// parseAmount reads "512" as it is and "0.5 UNIT", in any case and with or without a space, as half of per.
func parseAmount(s string, per int64, unit string) (int64, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	number, scaled := strings.CutSuffix(s, unit)
	if !scaled {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil && n > 0
	}
	number = strings.TrimSpace(number)
	if strings.IndexFunc(number, func(r rune) bool { return !isDigit(r) && r != '.' }) >= 0 {
		return 0, false
	}
	f, err := strconv.ParseFloat(number, 64)
	n := math.Round(f * float64(per))
	return int64(n), err == nil && n > 0 && n < math.MaxInt32
}

// amount reads a normalised cpu or memory; an absent one is 0.
func amount(p *string) int64 {
	n, _ := strconv.ParseInt(deref(p), 10, 64)
	return n
}

// minMemory is the least memory of a container in MiB. Docker 20.10 needs 6; 4 was the limit of older daemons and
// definitions of that age still register (SEMANTICS §4.2) [I].
const minMemory = 4

// checkMemory: memory must come from somewhere, and a hard limit lies above the soft one (SEMANTICS §4.2, §12).
func checkMemory(d *draft, c *types.ContainerDefinition) error {
	name := deref(c.Name)
	if c.Cpu < 0 {
		return refuse("Invalid setting for container '%s'. 'cpu' must not be negative.", name) // [I]
	}
	if d.Memory == nil && c.Memory == nil && c.MemoryReservation == nil {
		return refuse("Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified.", name) // [O]
	}
	if c.Memory != nil && *c.Memory < minMemory {
		return refuse("Invalid setting for container '%s'. 'memory' must be at least %d.", name, minMemory) // [I]
	}
	if c.MemoryReservation != nil && *c.MemoryReservation < minMemory {
		return refuse("Invalid setting for container '%s'. 'memoryReservation' must be at least %d.", name, minMemory) // [I]
	}
	if c.Memory != nil && c.MemoryReservation != nil && *c.Memory <= *c.MemoryReservation {
		return refuse("Invalid setting for container '%s'. 'memory' must be greater than 'memoryReservation'.", name) // [I]
	}
	return nil
}

// checkSums: containers fit into their task (SEMANTICS §4.1, §4.2).
func checkSums(d *draft) error {
	var cpu, memory int64
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		cpu += int64(c.Cpu)
		memory += softMemory(c)
		if d.Memory != nil && int64(deref(c.Memory)) > amount(d.Memory) {
			return refuse("Invalid setting for container '%s'. 'memory' cannot be greater than the value of the task 'memory'.", deref(c.Name)) // [I]
		}
	}
	if d.Cpu != nil && cpu > amount(d.Cpu) {
		return refuse("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.") // [O]
	}
	if d.Memory != nil && memory > amount(d.Memory) {
		return refuse("The sum of all container 'memory' values cannot be greater than the value of the task 'memory'.") // [I]
	}
	return nil
}

// softMemory is what a container's task reserves for it: memoryReservation, else memory (SEMANTICS §4.2) [D].
func softMemory(c *types.ContainerDefinition) int64 {
	if c.MemoryReservation != nil {
		return int64(*c.MemoryReservation)
	}
	return int64(deref(c.Memory))
}
