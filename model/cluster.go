package model

import "github.com/aws/aws-sdk-go-v2/service/ecs/types"

// Cluster statuses (SEMANTICS §3).
const (
	ClusterActive   = "ACTIVE"
	ClusterInactive = "INACTIVE"
)

// DefaultCluster is the cluster meant when a call names none.
const DefaultCluster = "default"

// Cluster groups tasks, services and capacity. Writer: api/ecs.
type Cluster struct {
	Scope
	Name      string `json:"name"`
	Status    string `json:"status"`
	CreatedAt Millis `json:"createdAt"`
	Tags      []Tag  `json:"tags,omitempty"`

	Settings          []types.ClusterSetting               `json:"settings,omitempty"`
	Configuration     *types.ClusterConfiguration          `json:"configuration,omitempty"`
	ConnectNamespace  string                               `json:"connectNamespace,omitempty"`
	CapacityProviders []string                             `json:"capacityProviders,omitempty"`
	DefaultStrategy   []types.CapacityProviderStrategyItem `json:"defaultStrategy,omitempty"`
}

// Key is the cluster's row key.
func (c *Cluster) Key() string { return ClusterKey(c.Scope, c.Name) }

// ARN is the cluster's Amazon resource name.
func (c *Cluster) ARN() string { return ClusterARN(c.Scope, c.Name) }

// ExecConfiguration is what the cluster says of sessions with commands in containers; of a cluster that is gone, nil, nothing.
func (c *Cluster) ExecConfiguration() types.ExecuteCommandConfiguration {
	if c == nil || c.Configuration == nil || c.Configuration.ExecuteCommandConfiguration == nil {
		return types.ExecuteCommandConfiguration{}
	}
	return *c.Configuration.ExecuteCommandConfiguration
}

// ClusterKey is the row key of the cluster with the name.
func ClusterKey(s Scope, name string) string { return s.Key(name) }

// ClusterARN is the ARN of the cluster with the name.
func ClusterARN(s Scope, name string) string { return s.ARN("ecs", "cluster/"+name) }
