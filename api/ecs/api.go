package ecs

import (
	"cmp"
	"context"
	"time"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Config says what the API is made of. DB, Now, NewID, NewUUID and Seed are required.
type Config struct {
	DB      *state.DB
	Now     func() time.Time
	NewID   func() string // 32 hex digits
	NewUUID func() string
	Seed    func() uint64 // decides ties of placement

	// Subnet returns the availability zone of a subnet; ok is false if there is no such subnet. Nil: any subnet exists
	// and is everywhere.
	Subnet func(s model.Scope, id string) (zone string, ok bool)
	// WaitingRequest says what is asked of the scheduler for a task that waits for capacity, or why it can never run. Nil: such
	// waits are not explained.
	WaitingRequest func(tx *state.Tx, t *model.Task) (req scheduler.Request, gone string)
	// ServiceWhy says why a service is not steady. Nil: it is not explained.
	ServiceWhy ServiceWhy
	// ServiceStep does what the leader does next for a service, for dry runs. Nil: they show what the call alone does.
	ServiceStep ServiceStep
	// PollEndpoint returns where an agent opens its ACS and TCS websockets; the stock one keeps that for 12 hours.
	PollEndpoint func(stock bool) (endpoint, telemetry string)
	// Trusts says whether ECS may assume a role for tasks of the cluster. Nil: any role.
	Trusts func(t *state.Tables, c *model.Cluster, role string) bool
	// Wide says with which statements a role may do everything, none if it may not. Nil: no role may. DenyWide: no definition is
	// registered with such a role.
	Wide     func(t *state.Tables, role string) []string
	DenyWide bool
	// Exec opens sessions with commands in containers. Nil: there are none.
	Exec Exec
	// Limits are the quotas (SEMANTICS §17).
	Limits Limits
}

// Limits are the quotas that this package watches; zero means AWS's default.
type Limits struct {
	InstanceENIs     int32 // task network interfaces per instance: 250
	ClusterProviders int   // capacity providers per cluster: 20
	WaitingTasks     int   // tasks of a cluster that wait for capacity: 500
	ClusterServices  int   // services per cluster: 5,000
}

// tokenLife is how long a clientToken of RunTask is remembered (SEMANTICS §1.5) [D].
const tokenLife = 24 * time.Hour

// api holds the handlers. It has no state of its own.
type api struct {
	Config
}

// New returns the handlers of the ECS operations that are served (SEMANTICS §2); the others answer
// UnsupportedFeatureException.
func New(cfg Config) *wire.Mux {
	a := newAPI(cfg)
	m := wire.NewMux(wire.ECS())
	a.handleClusters(m)
	a.handleProviders(m)
	a.handleDefinitions(m)
	a.handleTasks(m)
	a.handleServices(m)
	a.handleTaskSets(m)
	a.handleInstances(m)
	a.handleAgents(m)
	a.handleTags(m)
	a.handleSettings(m)
	return m
}

// newAPI fills in what cfg leaves out.
func newAPI(cfg Config) *api {
	if cfg.Subnet == nil {
		cfg.Subnet = func(model.Scope, string) (string, bool) { return "", true }
	}
	if cfg.PollEndpoint == nil {
		cfg.PollEndpoint = func(bool) (string, string) { return "", "" }
	}
	cfg.Limits.InstanceENIs = cmp.Or(cfg.Limits.InstanceENIs, 250)
	cfg.Limits.ClusterProviders = cmp.Or(cfg.Limits.ClusterProviders, 20)
	cfg.Limits.WaitingTasks = cmp.Or(cfg.Limits.WaitingTasks, 500)
	cfg.Limits.ClusterServices = cmp.Or(cfg.Limits.ClusterServices, 5000)
	return &api{cfg}
}

// handleClusters registers SEMANTICS §2.1.
func (a *api) handleClusters(m *wire.Mux) {
	wire.Handle(m, "CreateCluster", a.createCluster)
	wire.Handle(m, "DescribeClusters", a.describeClusters)
	wire.Handle(m, "ListClusters", a.listClusters)
	wire.Handle(m, "UpdateCluster", a.updateCluster)
	wire.Handle(m, "UpdateClusterSettings", a.updateClusterSettings)
	wire.Handle(m, "PutClusterCapacityProviders", a.putClusterCapacityProviders)
	wire.Handle(m, "DeleteCluster", a.deleteCluster)
}

// handleProviders registers SEMANTICS §2.2.
func (a *api) handleProviders(m *wire.Mux) {
	wire.Handle(m, "CreateCapacityProvider", a.createCapacityProvider)
	wire.Handle(m, "DescribeCapacityProviders", a.describeCapacityProviders)
	wire.Handle(m, "UpdateCapacityProvider", a.updateCapacityProvider)
	wire.Handle(m, "DeleteCapacityProvider", a.deleteCapacityProvider)
}

// handleDefinitions registers SEMANTICS §2.4.
func (a *api) handleDefinitions(m *wire.Mux) {
	wire.Handle(m, "RegisterTaskDefinition", a.registerDefinition)
	wire.Handle(m, "DescribeTaskDefinition", a.describeDefinition)
	wire.Handle(m, "ListTaskDefinitions", a.listDefinitions)
	wire.Handle(m, "ListTaskDefinitionFamilies", a.listFamilies)
	wire.Handle(m, "DeregisterTaskDefinition", a.deregisterDefinition)
	wire.Handle(m, "DeleteTaskDefinitions", a.deleteDefinitions)
}

// handleTasks registers SEMANTICS §2.5 and StartTask.
func (a *api) handleTasks(m *wire.Mux) {
	wire.Handle(m, "RunTask", a.runTask)
	wire.Handle(m, "StartTask", a.startTask)
	wire.Handle(m, "StopTask", a.stopTask)
	wire.Handle(m, "DescribeTasks", a.describeTasks)
	wire.Handle(m, "ListTasks", a.listTasks)
	wire.Handle(m, "GetTaskProtection", a.getTaskProtection)
	wire.Handle(m, "UpdateTaskProtection", a.updateTaskProtection)
	wire.Handle(m, "ExecuteCommand", a.executeCommand)
	m.AllowDryRun("RunTask", "StartTask")
}

// handleServices registers SEMANTICS §2.6.
func (a *api) handleServices(m *wire.Mux) {
	wire.Handle(m, "CreateService", a.createService)
	wire.Handle(m, "UpdateService", a.updateService)
	wire.Handle(m, "DeleteService", a.deleteService)
	wire.Handle(m, "DescribeServices", a.describeServices)
	wire.Handle(m, "ListServices", a.listServices)
	wire.Handle(m, "ListServicesByNamespace", a.listServicesByNamespace)
	wire.Handle(m, "ListServiceDeployments", a.listServiceDeployments)
	wire.Handle(m, "DescribeServiceDeployments", a.describeServiceDeployments)
	wire.Handle(m, "DescribeServiceRevisions", a.describeServiceRevisions)
	wire.Handle(m, "StopServiceDeployment", a.stopServiceDeployment)
	wire.Handle(m, "ContinueServiceDeployment", a.continueServiceDeployment)
	m.AllowDryRun("CreateService", "UpdateService")
}

// handleTaskSets registers SEMANTICS §2.7.
func (a *api) handleTaskSets(m *wire.Mux) {
	wire.Handle(m, "CreateTaskSet", a.createTaskSet)
	wire.Handle(m, "UpdateTaskSet", a.updateTaskSet)
	wire.Handle(m, "DeleteTaskSet", a.deleteTaskSet)
	wire.Handle(m, "DescribeTaskSets", a.describeTaskSets)
	wire.Handle(m, "UpdateServicePrimaryTaskSet", a.updateServicePrimaryTaskSet)
}

// handleInstances registers the user's half of SEMANTICS §2.3.
func (a *api) handleInstances(m *wire.Mux) {
	wire.Handle(m, "DeregisterContainerInstance", a.deregisterInstance)
	wire.Handle(m, "DescribeContainerInstances", a.describeInstances)
	wire.Handle(m, "ListContainerInstances", a.listInstances)
	wire.Handle(m, "UpdateContainerInstancesState", a.updateInstancesState)
	wire.Handle(m, "UpdateContainerAgent", a.updateAgent)
	wire.Handle(m, "PutAttributes", a.putAttributes)
	wire.Handle(m, "DeleteAttributes", a.deleteAttributes)
	wire.Handle(m, "ListAttributes", a.listAttributes)
}

// handleAgents registers the agents' half of SEMANTICS §2.3 (AGENT-PROTOCOL §1.1).
func (a *api) handleAgents(m *wire.Mux) {
	wire.Handle(m, "RegisterContainerInstance", a.registerInstance)
	wire.Handle(m, "DiscoverPollEndpoint", a.discoverPollEndpoint)
	wire.Handle(m, "SubmitTaskStateChange", a.submitTask)
	wire.Handle(m, "SubmitContainerStateChange", a.submitContainer)
	wire.Handle(m, "SubmitAttachmentStateChanges", a.submitAttachments)
}

// handleTags registers the first half of SEMANTICS §2.8.
func (a *api) handleTags(m *wire.Mux) {
	wire.Handle(m, "TagResource", a.tagResource)
	wire.Handle(m, "UntagResource", a.untagResource)
	wire.Handle(m, "ListTagsForResource", a.listTags)
}

// handleSettings registers the second half of SEMANTICS §2.8.
func (a *api) handleSettings(m *wire.Mux) {
	wire.Handle(m, "PutAccountSetting", a.putSetting)
	wire.Handle(m, "PutAccountSettingDefault", a.putSettingDefault)
	wire.Handle(m, "ListAccountSettings", a.listSettings)
	wire.Handle(m, "DeleteAccountSetting", a.deleteSetting)
}

// principal returns the verified sender. Without one there is a mistake in the assembly, not in the request.
func principal(ctx context.Context) (auth.Principal, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return auth.Principal{}, errNoPrincipal{}
	}
	return p, nil
}

type errNoPrincipal struct{}

func (errNoPrincipal) Error() string { return "call without a verified principal" }

// nowMillis is the time that goes into rows.
func (a *api) nowMillis() model.Millis { return a.Now().UnixMilli() }

// update changes the state, or in a dry run finds out what would change.
func (a *api) update(ctx context.Context, f func(*state.Tx) error) error {
	if call, _ := wire.CallFrom(ctx); call.DryRun {
		return a.DB.Try(ctx, f)
	}
	return a.DB.Update(ctx, f)
}
