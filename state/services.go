package state

import (
	"iter"

	"github.com/roadstead/roadstead/model"
)

// TasksOfService yields the tasks of the service with the key that are not STOPPED, and those whose end it has not taken
// note of yet, the oldest first.
func (t *Tables) TasksOfService(serviceKey string) iter.Seq[*model.Task] {
	return lookup(t.Tasks, tasksByService, serviceKey)
}

// DeploymentsOf yields the deployments of the service, INACTIVE ones too, the oldest first. Those of an earlier service with
// the same name are not the service's.
func (t *Tables) DeploymentsOf(s *model.Service) iter.Seq[*model.Deployment] {
	return t.Deployments.From(s.Key()+"/", s.Key()+"/"+model.NewDeploymentID(s.CreatedAt, 0))
}

// RevisionsOf yields the revisions of the service, the oldest first.
func (t *Tables) RevisionsOf(s *model.Service) iter.Seq[*model.Revision] {
	return t.Revisions.From(s.Key()+"/", s.Key()+"/"+model.NewDeploymentID(s.CreatedAt, 0))
}

// TaskSetsOf yields the task sets of the service, the oldest first.
func (t *Tables) TaskSetsOf(s *model.Service) iter.Seq[*model.TaskSet] {
	return t.TaskSets.From(s.Key()+"/", s.Key()+"/"+model.NewDeploymentID(s.CreatedAt, 0))
}

// ServicesOf yields the services of the cluster, INACTIVE ones too, in the order of their names.
func (t *Tables) ServicesOf(s model.Scope, cluster string) iter.Seq[*model.Service] {
	return t.Services.Prefix(s.Key(cluster, ""))
}

// MessagesOf yields the messages of the service, the oldest first.
func (t *Tables) MessagesOf(s *model.Service) iter.Seq[*model.Message] {
	return func(yield func(*model.Message) bool) {
		for m := range t.Messages.Prefix(s.Key() + "/") {
			if m.At >= s.CreatedAt && !yield(m) {
				return
			}
		}
	}
}
