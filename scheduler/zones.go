package scheduler

import (
	"maps"
	"slices"
)

// Zones are the availability zones, sorted, of the instances that satisfy what the request asks of them apart from resources
// and other tasks: those over which a service can be spread (SEMANTICS §8.10).
func Zones(x *Index, req Request) []string {
	x.settle()
	s, ok := x.newSearch(&req)
	if !ok {
		return nil
	}
	zones := map[string]bool{}
	sh := s.shape
	alike := !s.domain.loose(zoneAttribute) && len(sh.attributes) == 0 && len(sh.zones) == 0 && len(sh.exprs) == 0
	for _, c := range sh.ready {
		if alike {
			zones[c.sample.Zone()] = true
			continue
		}
		for n := range c.nodes() {
			if inZone(n.instance, sh.zones) && hasAll(n.instance, sh.attributes) && matchAll(n, sh.exprs) {
				zones[n.instance.Zone()] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(zones))
}
