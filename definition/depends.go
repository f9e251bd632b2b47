package definition

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// checkDependencies: a dependency is another container of the task, under a condition that it can meet
// (SEMANTICS §11.4) [D].
func checkDependencies(d *draft, c *types.ContainerDefinition) error {
	for _, dep := range c.DependsOn {
		on := d.named[deref(dep.ContainerName)]
		if on == nil {
			return refuse("Cannot depend on container + '%s' because it does not exist", deref(dep.ContainerName)) // [O], plus sign and all
		}
		switch dep.Condition {
		case types.ContainerConditionStart:
		case types.ContainerConditionComplete, types.ContainerConditionSuccess:
			if deref(on.Essential) {
				return refuse("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container") // [O]
			}
		case types.ContainerConditionHealthy:
			if on.HealthCheck == nil {
				return refuse("A dependency container with HEALTHY condition must have a health check configured") // [I]
			}
		default:
			return refuse("Invalid dependency condition '%s' for container '%s'.", dep.Condition, deref(c.Name)) // [I]
		}
	}
	return nil
}

// checkEssential: a task ends with its essential containers, so it has one (SEMANTICS §11.4) [D].
func checkEssential(d *draft) error {
	for i := range d.ContainerDefinitions {
		if deref(d.ContainerDefinitions[i].Essential) {
			return nil
		}
	}
	return refuse("At least one container in the task definition must be marked as essential.") // [I]
}

// checkCycles: containers can be started in some order. Links and volumesFrom order them as dependsOn does
// (SEMANTICS §11.4); wording [I].
func checkCycles(d *draft) error {
	const (
		visiting = 1
		done     = 2
	)
	state := make(map[string]int, len(d.named))
	var visit func(name string) bool
	visit = func(name string) bool {
		switch state[name] {
		case visiting:
			return false
		case done:
			return true
		}
		state[name] = visiting
		for _, next := range needs(d.named[name]) {
			if !visit(next) {
				return false
			}
		}
		state[name] = done
		return true
	}
	for i := range d.ContainerDefinitions {
		if name := deref(d.ContainerDefinitions[i].Name); !visit(name) {
			return refuse("Container dependency cycle detected at container '%s'.", name)
		}
	}
	return nil
}

// needs names the containers that must be there before c.
func needs(c *types.ContainerDefinition) []string {
	var names []string
	for _, dep := range c.DependsOn {
		names = append(names, deref(dep.ContainerName))
	}
	for _, v := range c.VolumesFrom {
		names = append(names, deref(v.SourceContainer))
	}
	for _, link := range c.Links {
		name, _, _ := strings.Cut(link, ":")
		names = append(names, name)
	}
	return names
}
