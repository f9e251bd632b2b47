package session_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// [D] Log drivers have the mode that the account wishes, as it is when the task is sent (SEMANTICS §13.7).
func TestDefaultLogDriverMode(t *testing.T) {
	inWorld(t, func(w *world) {
		w.update(func(tx *state.Tx) {
			d, _ := tx.Definition(scope, "web:1")
			row := *d
			row.Spec.ContainerDefinitions = slices.Clone(row.Spec.ContainerDefinitions)
			row.Spec.ContainerDefinitions[0].LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverSyslog}
			tx.Definitions.Put(&row)
		})
		a := w.connect("i1")
		for _, c := range []struct{ task, setting, want string }{{"t1", "", `"mode":"non-blocking"`}, {"t2", "blocking", `"mode":"blocking"`}} {
			if c.setting != "" {
				w.update(func(tx *state.Tx) {
					tx.AccountSettings.Put(&model.AccountSetting{Scope: scope, Name: "defaultLogDriverMode", Value: c.setting})
				})
			}
			w.run("i1", c.task)
			a.heard()
			if host := a.payload().Containers[0].Docker.HostConfig; !strings.Contains(host, c.want) {
				t.Errorf("%s: %s", c.task, host)
			}
			a.ack()
		}
	})
}

// What a payload depends on is in the key of its mould: whoever adds to definition.Around adds there, too.
func TestAroundIsKnown(t *testing.T) {
	if n := reflect.TypeFor[definition.Around]().NumField(); n != 8 {
		t.Errorf("definition.Around has %d fields: are they in mouldKey, or in acs.Own?", n)
	}
}

// Tasks of a revision that was registered anew under the same number, after a reset, are not told what the old one was.
func TestMouldsFollowTheirRows(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.connect("i1")
		for _, image := range []string{"web:1", "web:2"} {
			w.update(func(tx *state.Tx) {
				d, _ := tx.Definition(scope, "web:1")
				row := *d
				row.Spec.ContainerDefinitions = slices.Clone(row.Spec.ContainerDefinitions)
				row.Spec.ContainerDefinitions[0].Image = &image
				tx.Definitions.Put(&row)
			})
			w.run("i1", "t"+image[4:])
			a.heard()
			w.want("the image", a.payload().Containers[0].Image, image)
			a.ack()
		}
	})
}
