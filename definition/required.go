package definition

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// Required are the attributes that an instance must have to take a task of the effective definition (SEMANTICS §5): its
// capabilities, the processor and the operating system, and for EXTERNAL that it is such an instance.
func Required(def *types.TaskDefinition, launchType string) []model.Attribute {
	out := make([]model.Attribute, 0, len(def.RequiresAttributes)+3)
	for _, r := range def.RequiresAttributes {
		out = append(out, model.Attribute{Name: deref(r.Name), Value: deref(r.Value), HasValue: r.Value != nil})
	}
	if launchType == string(types.LaunchTypeExternal) {
		out = append(out, model.Attribute{Name: newPrefix + "external"})
	}
	if p := def.RuntimePlatform; p != nil {
		if p.CpuArchitecture != "" { // X86_64 is registered as x86_64 [D]
			out = append(out, model.Attribute{Name: "ecs.cpu-architecture", Value: strings.ToLower(string(p.CpuArchitecture)), HasValue: true})
		}
		if os, _, _ := strings.Cut(string(p.OperatingSystemFamily), "_"); os != "" { // WINDOWS_SERVER_2022_CORE
			out = append(out, model.Attribute{Name: "ecs.os-type", Value: strings.ToLower(os), HasValue: true})
		}
	}
	return out
}
