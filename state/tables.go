package state

import (
	"iter"
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// Tables are all the rows of a Region. Writers of each are named at the row's type in model and in ARCHITECTURE.md.
type Tables struct {
	Accounts            *Table[model.Account]
	AccessKeys          *Table[model.AccessKey]
	AccountSettings     *Table[model.AccountSetting]
	Clusters            *Table[model.Cluster]
	Families            *Table[model.Family]
	Definitions         *Table[model.TaskDefinition]
	Instances           *Table[model.Instance]
	Tasks               *Table[model.Task]
	RunTokens           *Table[model.RunToken]
	Repositories        *Table[model.Repository]
	Buckets             *Table[model.Bucket]
	Objects             *Table[model.Object]
	Uploads             *Table[model.Upload]
	UploadParts         *Table[model.UploadPart]
	Registries          *Table[model.Registry]
	RepositoryTemplates *Table[model.RepositoryTemplate]
	ImageScans          *Table[model.ImageScan]
	Replications        *Table[model.Replication]
	Backfills           *Table[model.Backfill]
	PullThroughRules    *Table[model.PullThroughRule]
	UpstreamLooks       *Table[model.UpstreamLook]
	ImagePulls          *Table[model.ImagePull]
	ImageArchives       *Table[model.ImageArchive]
	Providers           *Table[model.CapacityProvider]
	Services            *Table[model.Service]
	Deployments         *Table[model.Deployment]
	Revisions           *Table[model.Revision]
	TaskSets            *Table[model.TaskSet]
	Messages            *Table[model.Message]
	Events              *Table[model.Event]
	LogGroups           *Table[model.LogGroup]
	LogPolicies         *Table[model.LogPolicy]
	LogQueries          *Table[model.LogQuery]
	LogExports          *Table[model.LogExport]
	Parameters          *Table[model.Parameter]
	ParameterVersions   *Table[model.ParameterVersion]
	Secrets             *Table[model.Secret]
	SecretValues        *Table[model.SecretValue]
	KMSKeys             *Table[model.KMSKey]
	KMSAliases          *Table[model.KMSAlias]
	KMSGrants           *Table[model.KMSGrant]
	Users               *Table[model.User]
	Groups              *Table[model.Group]
	Roles               *Table[model.Role]
	Policies            *Table[model.ManagedPolicy]
	Profiles            *Table[model.InstanceProfile]
	OIDCProviders       *Table[model.OIDCProvider]
	TokenIssuers        *Table[model.TokenIssuer]

	index   Index // of a head, nil otherwise
	scratch scratch
}

// Usage is what the tasks placed on an instance and not yet STOPPED take of it (SEMANTICS §4.6), and how many there
// are. Running counts those wanted RUNNING, Pending those of them that are not there yet.
type Usage struct {
	model.Resources
	Tasks   int
	Running int
	Pending int
}

// ClusterCount counts the tasks of a cluster that are not STOPPED, by launch type and by how far they are. Waiting counts
// those of the pending ones that have no instance yet.
type ClusterCount struct {
	RunningEC2, PendingEC2           int
	RunningFargate, PendingFargate   int
	RunningExternal, PendingExternal int
	Waiting                          int
}

// TasksOn yields the tasks placed on the instance and not yet STOPPED, in id order.
func (t *Tables) TasksOn(instanceKey string) iter.Seq[*model.Task] {
	id := instanceKey[strings.LastIndexByte(instanceKey, '/')+1:]
	return func(yield func(*model.Task) bool) {
		for _, p := range t.Tasks.derived[tasksByInstance].(*placed).on(id) {
			if task, ok := t.Tasks.Get(p.key); ok && task.On(instanceKey) && !yield(task) {
				return
			}
		}
	}
}

// Waiting yields the tasks of the cluster that wait for an instance, the oldest first.
func (t *Tables) Waiting(clusterKey string) iter.Seq[*model.Task] {
	return lookup(t.Tasks, tasksWaiting, clusterKey)
}

// Usage returns what is taken of the instance. It adds the instance's tasks up.
func (t *Tables) Usage(instanceKey string) Usage {
	var u Usage
	for task := range t.TasksOn(instanceKey) {
		u.add(task)
	}
	return u
}

// ClusterCount returns the counts of the cluster's tasks.
func (t *Tables) ClusterCount(clusterKey string) ClusterCount {
	return t.Tasks.derived[tasksByCluster].(*clusterCounts).of(clusterKey)
}

// InstancesOf yields the container instances of the cluster, INACTIVE ones too, in id order.
func (t *Tables) InstancesOf(s model.Scope, cluster string) iter.Seq[*model.Instance] {
	return t.Instances.Prefix(s.Key(cluster, ""))
}

// TasksOf yields the tasks of the cluster, stopped ones too, in id order.
func (t *Tables) TasksOf(s model.Scope, cluster string) iter.Seq[*model.Task] {
	return t.Tasks.Prefix(s.Key(cluster, ""))
}

// DefinitionsOf yields the revisions of the family in order.
func (t *Tables) DefinitionsOf(s model.Scope, family string) iter.Seq[*model.TaskDefinition] {
	return t.Definitions.Prefix(s.Key(family, ""))
}

// Definition returns the revision with the name, FAMILY:REVISION.
func (t *Tables) Definition(s model.Scope, name string) (*model.TaskDefinition, bool) {
	family, revision, _ := strings.Cut(name, ":")
	n, err := strconv.ParseInt(revision, 10, 32)
	if err != nil {
		return nil, false
	}
	return t.Definitions.Get(model.DefinitionKey(s, family, int32(n)))
}

// keyed defines a table whose rows know their key.
func keyed[R any, P interface {
	*R
	Key() string
}](name string) *tableDef[R] {
	return &tableDef[R]{name: name, key: func(r *R) string { return P(r).Key() }}
}

// newTables returns empty tables.
func newTables() *Tables {
	tasks := keyed[model.Task]("tasks")
	tasks.share = new(launches).share
	tasks.derived = []func() derived[model.Task]{
		tasksByInstance: newPlaced,
		tasksWaiting:    func() derived[model.Task] { return newIndex(waitingIn) },
		tasksByCluster:  newClusterCounts,
		tasksByService:  func() derived[model.Task] { return newIndex(serviceOf) },
	}
	return &Tables{
		Accounts:            newTable(keyed[model.Account]("accounts")),
		AccessKeys:          newTable(keyed[model.AccessKey]("accesskeys")),
		AccountSettings:     newTable(keyed[model.AccountSetting]("accountsettings")),
		Clusters:            newTable(keyed[model.Cluster]("clusters")),
		Families:            newTable(keyed[model.Family]("families")),
		Definitions:         newTable(keyed[model.TaskDefinition]("definitions")),
		Instances:           newTable(keyed[model.Instance]("instances")),
		Tasks:               newTable(tasks),
		RunTokens:           newTable(keyed[model.RunToken]("runtokens")),
		Repositories:        newTable(keyed[model.Repository]("repositories")),
		Buckets:             newTable(keyed[model.Bucket]("buckets")),
		Objects:             newTable(keyed[model.Object]("objects")),
		Uploads:             newTable(keyed[model.Upload]("uploads")),
		UploadParts:         newTable(keyed[model.UploadPart]("uploadparts")),
		Registries:          newTable(keyed[model.Registry]("registries")),
		RepositoryTemplates: newTable(keyed[model.RepositoryTemplate]("repositorytemplates")),
		ImageScans:          newTable(keyed[model.ImageScan]("imagescans")),
		Replications:        newTable(keyed[model.Replication]("replications")),
		Backfills:           newTable(keyed[model.Backfill]("backfills")),
		PullThroughRules:    newTable(keyed[model.PullThroughRule]("pullthroughrules")),
		UpstreamLooks:       newTable(keyed[model.UpstreamLook]("upstreamlooks")),
		ImagePulls:          newTable(keyed[model.ImagePull]("imagepulls")),
		ImageArchives:       newTable(keyed[model.ImageArchive]("imagearchives")),
		Providers:           newTable(keyed[model.CapacityProvider]("providers")),
		Services:            newTable(keyed[model.Service]("services")),
		Deployments:         newTable(keyed[model.Deployment]("deployments")),
		Revisions:           newTable(keyed[model.Revision]("revisions")),
		TaskSets:            newTable(keyed[model.TaskSet]("tasksets")),
		Messages:            newTable(keyed[model.Message]("messages")),
		Events:              newTable(keyed[model.Event]("events")),
		LogGroups:           newTable(keyed[model.LogGroup]("loggroups")),
		LogPolicies:         newTable(keyed[model.LogPolicy]("logpolicies")),
		LogQueries:          newTable(keyed[model.LogQuery]("logqueries")),
		LogExports:          newTable(keyed[model.LogExport]("logexports")),
		Parameters:          newTable(keyed[model.Parameter]("parameters")),
		ParameterVersions:   newTable(keyed[model.ParameterVersion]("parameterversions")),
		Secrets:             newTable(keyed[model.Secret]("secrets")),
		SecretValues:        newTable(keyed[model.SecretValue]("secretvalues")),
		KMSKeys:             newTable(keyed[model.KMSKey]("kmskeys")),
		KMSAliases:          newTable(keyed[model.KMSAlias]("kmsaliases")),
		KMSGrants:           newTable(keyed[model.KMSGrant]("kmsgrants")),
		Users:               newTable(keyed[model.User]("users")),
		Groups:              newTable(keyed[model.Group]("groups")),
		Roles:               newTable(keyed[model.Role]("roles")),
		Policies:            newTable(keyed[model.ManagedPolicy]("policies")),
		Profiles:            newTable(keyed[model.InstanceProfile]("profiles")),
		OIDCProviders:       newTable(keyed[model.OIDCProvider]("oidcproviders")),
		TokenIssuers:        newTable(keyed[model.TokenIssuer]("tokenissuers")),
	}
}

// What is derived from tasks.
const (
	tasksByInstance = iota
	tasksWaiting
	tasksByCluster
	tasksByService
)

// waitingIn is the key of the cluster in which the task waits, and since when.
func waitingIn(key string, t *model.Task) (cluster string, since int64, ok bool) {
	return clusterOf(key), t.CreatedAt, t.Waiting()
}

// serviceOf is the key of the service that has to do with the task, and since when: until it has taken note of its end.
func serviceOf(key string, t *model.Task) (service string, since int64, ok bool) {
	name := t.Service()
	if name == "" || t.Last == model.TaskStopped && t.Counted {
		return "", 0, false
	}
	return clusterOf(key) + "/" + name, t.CreatedAt, true
}

// clusterOf is the cluster's key in a task's key, which it begins.
func clusterOf(taskKey string) string { return taskKey[:strings.LastIndexByte(taskKey, '/')] }

// each calls f with every table, in a fixed order.
func (t *Tables) each(f func(table)) {
	f(t.Accounts)
	f(t.AccessKeys)
	f(t.AccountSettings)
	f(t.Clusters)
	f(t.Families)
	f(t.Definitions)
	f(t.Instances)
	f(t.Tasks)
	f(t.RunTokens)
	f(t.Repositories)
	f(t.Buckets)
	f(t.Objects)
	f(t.Uploads)
	f(t.UploadParts)
	f(t.Registries)
	f(t.RepositoryTemplates)
	f(t.ImageScans)
	f(t.Replications)
	f(t.Backfills)
	f(t.PullThroughRules)
	f(t.UpstreamLooks)
	f(t.ImagePulls)
	f(t.ImageArchives)
	f(t.Providers)
	f(t.Services)
	f(t.Deployments)
	f(t.Revisions)
	f(t.TaskSets)
	f(t.Messages)
	f(t.Events)
	f(t.LogGroups)
	f(t.LogPolicies)
	f(t.LogQueries)
	f(t.LogExports)
	f(t.Parameters)
	f(t.ParameterVersions)
	f(t.Secrets)
	f(t.SecretValues)
	f(t.KMSKeys)
	f(t.KMSAliases)
	f(t.KMSGrants)
	f(t.Users)
	f(t.Groups)
	f(t.Roles)
	f(t.Policies)
	f(t.Profiles)
	f(t.OIDCProviders)
	f(t.TokenIssuers)
}

// freeze returns an immutable copy; tables unchanged since the last freeze are taken from prev.
func (t *Tables) freeze(prev *Tables) *Tables {
	return &Tables{
		Accounts:            frozen(t.Accounts, prev.Accounts),
		AccessKeys:          frozen(t.AccessKeys, prev.AccessKeys),
		AccountSettings:     frozen(t.AccountSettings, prev.AccountSettings),
		Clusters:            frozen(t.Clusters, prev.Clusters),
		Families:            frozen(t.Families, prev.Families),
		Definitions:         frozen(t.Definitions, prev.Definitions),
		Instances:           frozen(t.Instances, prev.Instances),
		Tasks:               frozen(t.Tasks, prev.Tasks),
		RunTokens:           frozen(t.RunTokens, prev.RunTokens),
		Repositories:        frozen(t.Repositories, prev.Repositories),
		Buckets:             frozen(t.Buckets, prev.Buckets),
		Objects:             frozen(t.Objects, prev.Objects),
		Uploads:             frozen(t.Uploads, prev.Uploads),
		UploadParts:         frozen(t.UploadParts, prev.UploadParts),
		Registries:          frozen(t.Registries, prev.Registries),
		RepositoryTemplates: frozen(t.RepositoryTemplates, prev.RepositoryTemplates),
		ImageScans:          frozen(t.ImageScans, prev.ImageScans),
		Replications:        frozen(t.Replications, prev.Replications),
		Backfills:           frozen(t.Backfills, prev.Backfills),
		PullThroughRules:    frozen(t.PullThroughRules, prev.PullThroughRules),
		UpstreamLooks:       frozen(t.UpstreamLooks, prev.UpstreamLooks),
		ImagePulls:          frozen(t.ImagePulls, prev.ImagePulls),
		ImageArchives:       frozen(t.ImageArchives, prev.ImageArchives),
		Providers:           frozen(t.Providers, prev.Providers),
		Services:            frozen(t.Services, prev.Services),
		Deployments:         frozen(t.Deployments, prev.Deployments),
		Revisions:           frozen(t.Revisions, prev.Revisions),
		TaskSets:            frozen(t.TaskSets, prev.TaskSets),
		Messages:            frozen(t.Messages, prev.Messages),
		Events:              frozen(t.Events, prev.Events),
		LogGroups:           frozen(t.LogGroups, prev.LogGroups),
		LogPolicies:         frozen(t.LogPolicies, prev.LogPolicies),
		LogQueries:          frozen(t.LogQueries, prev.LogQueries),
		LogExports:          frozen(t.LogExports, prev.LogExports),
		Parameters:          frozen(t.Parameters, prev.Parameters),
		ParameterVersions:   frozen(t.ParameterVersions, prev.ParameterVersions),
		Secrets:             frozen(t.Secrets, prev.Secrets),
		SecretValues:        frozen(t.SecretValues, prev.SecretValues),
		KMSKeys:             frozen(t.KMSKeys, prev.KMSKeys),
		KMSAliases:          frozen(t.KMSAliases, prev.KMSAliases),
		KMSGrants:           frozen(t.KMSGrants, prev.KMSGrants),
		Users:               frozen(t.Users, prev.Users),
		Groups:              frozen(t.Groups, prev.Groups),
		Roles:               frozen(t.Roles, prev.Roles),
		Policies:            frozen(t.Policies, prev.Policies),
		Profiles:            frozen(t.Profiles, prev.Profiles),
		OIDCProviders:       frozen(t.OIDCProviders, prev.OIDCProviders),
		TokenIssuers:        frozen(t.TokenIssuers, prev.TokenIssuers),
	}
}

// thaw returns a changeable copy of frozen tables.
func (t *Tables) thaw() *Tables {
	return &Tables{
		Accounts:            t.Accounts.copy(),
		AccessKeys:          t.AccessKeys.copy(),
		AccountSettings:     t.AccountSettings.copy(),
		Clusters:            t.Clusters.copy(),
		Families:            t.Families.copy(),
		Definitions:         t.Definitions.copy(),
		Instances:           t.Instances.copy(),
		Tasks:               t.Tasks.copy(),
		RunTokens:           t.RunTokens.copy(),
		Repositories:        t.Repositories.copy(),
		Buckets:             t.Buckets.copy(),
		Objects:             t.Objects.copy(),
		Uploads:             t.Uploads.copy(),
		UploadParts:         t.UploadParts.copy(),
		Registries:          t.Registries.copy(),
		RepositoryTemplates: t.RepositoryTemplates.copy(),
		ImageScans:          t.ImageScans.copy(),
		Replications:        t.Replications.copy(),
		Backfills:           t.Backfills.copy(),
		PullThroughRules:    t.PullThroughRules.copy(),
		UpstreamLooks:       t.UpstreamLooks.copy(),
		ImagePulls:          t.ImagePulls.copy(),
		ImageArchives:       t.ImageArchives.copy(),
		Providers:           t.Providers.copy(),
		Services:            t.Services.copy(),
		Deployments:         t.Deployments.copy(),
		Revisions:           t.Revisions.copy(),
		TaskSets:            t.TaskSets.copy(),
		Messages:            t.Messages.copy(),
		Events:              t.Events.copy(),
		LogGroups:           t.LogGroups.copy(),
		LogPolicies:         t.LogPolicies.copy(),
		LogQueries:          t.LogQueries.copy(),
		LogExports:          t.LogExports.copy(),
		Parameters:          t.Parameters.copy(),
		ParameterVersions:   t.ParameterVersions.copy(),
		Secrets:             t.Secrets.copy(),
		SecretValues:        t.SecretValues.copy(),
		KMSKeys:             t.KMSKeys.copy(),
		KMSAliases:          t.KMSAliases.copy(),
		KMSGrants:           t.KMSGrants.copy(),
		Users:               t.Users.copy(),
		Groups:              t.Groups.copy(),
		Roles:               t.Roles.copy(),
		Policies:            t.Policies.copy(),
		Profiles:            t.Profiles.copy(),
		OIDCProviders:       t.OIDCProviders.copy(),
		TokenIssuers:        t.TokenIssuers.copy(),
	}
}

func frozen[R any](t, prev *Table[R]) *Table[R] {
	if !t.dirty {
		return prev
	}
	t.dirty = false
	return t.copy()
}

func (u *Usage) add(t *model.Task) {
	r := &t.Reserved
	u.CPU += r.CPU
	u.Memory += r.Memory
	u.ENIs += r.ENIs
	u.PortsTCP = append(u.PortsTCP, r.PortsTCP...)
	u.PortsUDP = append(u.PortsUDP, r.PortsUDP...)
	u.GPUs = append(u.GPUs, r.GPUs...)
	u.Addresses = append(u.Addresses, r.Addresses...)
	u.Tasks++
	switch {
	case t.Desired != model.TaskRunning:
	case t.Last == model.TaskRunning:
		u.Running++
	default:
		u.Pending++
	}
}
