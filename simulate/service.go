package simulate

import (
	"fmt"
	"regexp"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.yaml.in/yaml/v3"

	"github.com/roadstead/roadstead/model"
)

// Service is a service that is there from the beginning, or from the event that creates it.
type Service struct {
	Name    string
	Kind    *Kind
	Cluster string
	Desired int
	Daemon  bool
	Minimum float64 // minimumHealthyPercent and maximumPercent as shares, -1: AWS's
	Maximum float64
	Breaker bool // the circuit breaker is on, and rolls back
	Balance bool // tasks are spread anew over the zones
}

func (f *File) readServices(n *yaml.Node) error {
	return mapping(n, "services", func(key, value *yaml.Node) error {
		s := Service{Cluster: f.cluster(), Desired: 1, Minimum: -1, Maximum: -1}
		family := key.Value
		err := members(value, "service "+key.Value,
			member{"task", text(&family, plain)},
			member{"cluster", text(&s.Cluster, named)},
			member{"desired", text(&s.Desired, number[int](0, 100_000))},
			member{"daemon", text(&s.Daemon, boolean)},
			member{"minimum", text(&s.Minimum, bound)},
			member{"maximum", text(&s.Maximum, bound)},
			member{"breaker", text(&s.Breaker, boolean)},
			member{"rebalance", text(&s.Balance, boolean)},
		)
		if err != nil {
			return err
		}
		if s.Kind = f.kind(family); s.Kind == nil {
			return wrong(key, "service %s: task %q: expected the family of a task definition, which stands before the services", key.Value, family)
		}
		s.Name, err = named(key.Value)
		f.Services = append(f.Services, s)
		return at(key, err)
	})
}

// cluster is the one that is meant where none is named.
func (f *File) cluster() string {
	if len(f.Clusters) == 0 {
		return model.DefaultCluster
	}
	return f.Clusters[0]
}

func boolean(s string) (bool, error) {
	choice, err := oneOf("true", "false")(s)
	return choice == "true", err
}

// bound reads a share that may be more than all: "200%".
func bound(s string) (float64, error) {
	half, err := share(halved(s))
	return half * 2, err
}

// halved is half of a percentage, as text.
func halved(s string) string {
	var percent float64
	if _, err := fmt.Sscanf(s, "%f%%", &percent); err != nil {
		return s
	}
	return fmt.Sprintf("%g%%", percent/2)
}

func (f *File) service(name string) *Service {
	for i := range f.Services {
		if f.Services[i].Name == name {
			return &f.Services[i]
		}
	}
	return nil
}

// readScale reads "SERVICE to N".
func readScale(f *File, in *words) (action, error) {
	s, err := in.service(f, "to")
	if err != nil {
		return nil, err
	}
	n, err := whole(in.next(), 0, 100_000)
	return func(w *world, o *occasion) {
		w.updateService(o, s, &sdk.UpdateServiceInput{DesiredCount: new(int32(n))})
	}, err
}

// readDeploy reads "SERVICE [to FAMILY]".
func readDeploy(f *File, in *words) (action, error) {
	s, err := in.service(f, "")
	if err != nil {
		return nil, err
	}
	change := sdk.UpdateServiceInput{ForceNewDeployment: true}
	if in.peek() == "to" {
		in.next()
		family := in.next()
		if f.kind(family) == nil {
			return nil, fmt.Errorf("%q: expected the family of a task definition", family)
		}
		change = sdk.UpdateServiceInput{TaskDefinition: &family}
	}
	return func(w *world, o *occasion) {
		in := change
		w.updateService(o, s, &in)
	}, nil
}

// readDelete reads "SERVICE".
func readDelete(f *File, in *words) (action, error) {
	s, err := in.service(f, "")
	return func(w *world, o *occasion) {
		w.persist(o.text, func() error {
			_, err := invoke[sdk.DeleteServiceOutput](w, "DeleteService", &sdk.DeleteServiceInput{Cluster: &s.Cluster, Service: &s.Name, Force: new(true)})
			return err
		})
	}, err
}

// service reads the name of a service, and the word after it if there has to be one.
func (in *words) service(f *File, then string) (*Service, error) {
	name := in.next()
	s := f.service(name)
	if s == nil {
		return nil, fmt.Errorf("%q: expected the name of a service", name)
	}
	if then != "" {
		if word := in.next(); word != then {
			return nil, fmt.Errorf("%q: expected %s", word, then)
		}
	}
	return s, nil
}

// createService asks for a service of the file.
func (w *world) createService(s *Service) error {
	in := &sdk.CreateServiceInput{Cluster: &s.Cluster, ServiceName: &s.Name, TaskDefinition: &s.Kind.Name, LaunchType: types.LaunchTypeEc2,
		DeploymentConfiguration: &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: s.Breaker, Rollback: s.Breaker}}}
	if s.Daemon {
		in.SchedulingStrategy = types.SchedulingStrategyDaemon
	} else {
		in.DesiredCount = new(int32(s.Desired))
	}
	if s.Minimum >= 0 {
		in.DeploymentConfiguration.MinimumHealthyPercent = new(int32(s.Minimum*100 + 0.5))
	}
	if s.Maximum >= 0 {
		in.DeploymentConfiguration.MaximumPercent = new(int32(s.Maximum*100 + 0.5))
	}
	if !s.Balance {
		in.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingDisabled
	}
	if s.Kind.Network == "awsvpc" {
		in.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: w.subnets}}
	}
	_, err := invoke[sdk.CreateServiceOutput](w, "CreateService", in)
	return err
}

func (w *world) updateService(o *occasion, s *Service, in *sdk.UpdateServiceInput) {
	in.Cluster, in.Service = &s.Cluster, &s.Name
	w.persist(o.text, func() error {
		_, err := invoke[sdk.UpdateServiceOutput](w, "UpdateService", in)
		if err == nil {
			w.write(!o.often, "%s", o.text)
		}
		return err
	})
}

// started makes the job of a task that a service has started. What is drawn for it depends on how many jobs of its kind there
// have been.
func (w *world) started(key string, t *model.Task) *job {
	family, _, _ := strings.Cut(t.Definition, ":")
	k := w.file.kind(family)
	if k == nil {
		return nil
	}
	o := &occasion{seed: w.file.Seed, event: -3, number: w.made[k]}
	j := w.newJobs(o, k, 1)[0]
	j.key = key
	w.jobs[key], w.named[t.ID] = j, j.name
	w.sums.homeless.add(w.now, 1)
	return j
}

// manyTasks is how many tasks a message of a service may name in the transcript.
const manyTasks = 8

// messageSaid writes down what a service says, with the names of jobs for the ids of tasks.
func (w *world) messageSaid(m *model.Message) {
	text := taskID.ReplaceAllStringFunc(m.Text, func(s string) string { return w.named[s[len("(task "):len(s)-1]] })
	if n := strings.Count(m.Text, "(task "); n > manyTasks {
		text = text[:strings.Index(text, " tasks")] + " tasks."
	}
	w.tell("%s", text)
}

var taskID = regexp.MustCompile(`\(task [0-9a-f]{32}\)`) //nolint:gochecknoglobals // a constant
