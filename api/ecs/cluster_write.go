package ecs

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// createCluster makes a cluster (SEMANTICS §2.1). One that is ACTIVE already is returned as it is; an INACTIVE name
// starts over with a fresh identity (§1.5) [O].
func (a *api) createCluster(ctx context.Context, in *sdk.CreateClusterInput) (*sdk.CreateClusterOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	fresh := &model.Cluster{Scope: who.Scope(), Name: model.DefaultCluster, Status: model.ClusterActive, CreatedAt: a.nowMillis(),
		Configuration: in.Configuration}
	if value(in.ClusterName) != "" {
		fresh.Name = *in.ClusterName
	}
	if !validName(fresh.Name) {
		return nil, invalid("Cluster name must match ^[a-zA-Z0-9\\-_]{1,255}$.") // [I]
	}
	if in.ServiceConnectDefaults != nil {
		fresh.ConnectNamespace = value(in.ServiceConnectDefaults.Namespace)
	}
	if fresh.Tags, err = readTags(in.Tags); err != nil {
		return nil, err
	}
	if err := checkExecConfiguration(in.Configuration); err != nil {
		return nil, err
	}
	if err := checkClusterSettings(in.Settings); err != nil {
		return nil, err
	}
	row := fresh
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		if old, ok := tx.Clusters.Get(fresh.Key()); ok && old.Status == model.ClusterActive {
			row = old
			return nil
		}
		row = withSettings(*fresh, tx.Tables, in.Settings)
		if err := a.associate(tx.Tables, row, in.CapacityProviders, in.DefaultCapacityProviderStrategy); err != nil {
			return err
		}
		tx.Clusters.Put(row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := viewCluster(a.DB.Snapshot().Tables, row, clusterDetail{settings: true, configuration: true, tags: true})
	return &sdk.CreateClusterOutput{Cluster: &v}, nil
}

// withSettings returns the cluster with the settings given, or else the account's containerInsights (SEMANTICS §2.1:
// the cluster's settings override the account's).
func withSettings(c model.Cluster, t *state.Tables, settings []types.ClusterSetting) *model.Cluster {
	c.Settings = settings
	if len(settings) == 0 {
		v := effectiveSetting(t, c.Scope, "", "containerInsights")
		c.Settings = []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: &v}}
	}
	return &c
}

// defaultCluster returns the cluster "default", making it if it does not exist: the first registration of an instance
// does that (SEMANTICS §1.1) [D].
func defaultCluster(tx *state.Tx, s model.Scope, now model.Millis) *model.Cluster {
	c, ok := tx.Clusters.Get(model.ClusterKey(s, model.DefaultCluster))
	if !ok {
		c = withSettings(model.Cluster{Scope: s, Name: model.DefaultCluster, Status: model.ClusterActive, CreatedAt: now}, tx.Tables, nil)
		tx.Clusters.Put(c)
	}
	return c
}

// changeCluster changes one ACTIVE cluster and shows it.
func (a *api) changeCluster(ctx context.Context, ref *string, show clusterDetail,
	change func(*state.Tx, *model.Cluster) error) (*types.Cluster, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	var row model.Cluster
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		old, err := activeCluster(tx.Tables, who.Scope(), ref)
		if err != nil {
			return err
		}
		row = *old
		if err := change(tx, &row); err != nil {
			return err
		}
		changed := row
		tx.Clusters.Put(&changed)
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := viewCluster(a.DB.Snapshot().Tables, &row, show)
	return &v, nil
}

// updateCluster changes what is given; an absent member is left as it is (SEMANTICS §1.2, §2.1).
func (a *api) updateCluster(ctx context.Context, in *sdk.UpdateClusterInput) (*sdk.UpdateClusterOutput, error) {
	if err := checkExecConfiguration(in.Configuration); err != nil {
		return nil, err
	}
	if err := checkClusterSettings(in.Settings); err != nil {
		return nil, err
	}
	c, err := a.changeCluster(ctx, in.Cluster, clusterDetail{settings: true, configuration: true},
		func(_ *state.Tx, c *model.Cluster) error {
			if in.Settings != nil {
				c.Settings = mergeSettings(c.Settings, in.Settings)
			}
			if in.Configuration != nil {
				c.Configuration = in.Configuration
			}
			if in.ServiceConnectDefaults != nil {
				c.ConnectNamespace = value(in.ServiceConnectDefaults.Namespace) // "" clears it [D]
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateClusterOutput{Cluster: c}, nil
}

func (a *api) updateClusterSettings(ctx context.Context, in *sdk.UpdateClusterSettingsInput) (*sdk.UpdateClusterSettingsOutput, error) {
	if err := checkClusterSettings(in.Settings); err != nil {
		return nil, err
	}
	c, err := a.changeCluster(ctx, in.Cluster, clusterDetail{settings: true}, func(_ *state.Tx, c *model.Cluster) error {
		c.Settings = mergeSettings(c.Settings, in.Settings)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateClusterSettingsOutput{Cluster: c}, nil
}

// checkClusterSettings knows the one setting of a cluster (SEMANTICS §2.1) [D].
func checkClusterSettings(settings []types.ClusterSetting) error {
	for _, s := range settings {
		if s.Name != types.ClusterSettingNameContainerInsights {
			return invalid("The cluster setting name '%s' is not valid. Valid names: [containerInsights]", s.Name) // [I]
		}
		switch value(s.Value) {
		case "enabled", "disabled", "enhanced":
		default:
			return invalid("The value '%s' is not valid for containerInsights. Valid values: [enabled, disabled, enhanced]", value(s.Value)) // [I]
		}
	}
	return nil
}

func mergeSettings(have, news []types.ClusterSetting) []types.ClusterSetting {
	out := slices.Clone(have)
	for _, s := range news {
		if i := slices.IndexFunc(out, func(o types.ClusterSetting) bool { return o.Name == s.Name }); i >= 0 {
			out[i] = s
		} else {
			out = append(out, s)
		}
	}
	return out
}

// checkExecConfiguration: a log configuration goes with the logging OVERRIDE, and that with a log configuration [D], which names
// somewhere [I].
func checkExecConfiguration(conf *types.ClusterConfiguration) error {
	if conf == nil || conf.ExecuteCommandConfiguration == nil {
		return nil
	}
	c := conf.ExecuteCommandConfiguration
	if c.Logging != "" && !slices.Contains(c.Logging.Values(), c.Logging) {
		return invalid("The logging value '%s' is not valid. Valid values: %v", c.Logging, c.Logging.Values()) // [I]
	}
	override, l := c.Logging == types.ExecuteCommandLoggingOverride, c.LogConfiguration
	switch {
	case l != nil && !override:
		return invalid("You must set logging to 'OVERRIDE' when you supply a log configuration.") // [O]
	case l == nil && override:
		return invalid("You must supply a log configuration when you set logging to 'OVERRIDE'.") // [I]
	case override && value(l.CloudWatchLogGroupName) == "" && value(l.S3BucketName) == "":
		return invalid("You must supply a CloudWatch log group, an S3 bucket or both in the log configuration.") // [I]
	}
	return nil
}

// deleteCluster makes an empty cluster INACTIVE; the order of the checks is AWS's (SEMANTICS §2.1) [O].
func (a *api) deleteCluster(ctx context.Context, in *sdk.DeleteClusterInput) (*sdk.DeleteClusterOutput, error) {
	c, err := a.changeCluster(ctx, in.Cluster, clusterDetail{}, func(tx *state.Tx, c *model.Cluster) error {
		if n := countServices(tx.Tables, c); n.active+n.draining > 0 { // a DRAINING one has tasks [I]
			return model.Errorf("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
		}
		for i := range tx.InstancesOf(c.Scope, c.Name) {
			if i.Status != model.InstanceInactive && !i.FargateOnly() {
				return model.Errorf("ClusterContainsContainerInstancesException",
					"The Cluster cannot be deleted while Container Instances are active or draining.")
			}
		}
		for t := range tx.TasksOf(c.Scope, c.Name) {
			if t.Last != model.TaskStopped {
				return model.Errorf("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
			}
		}
		if managedIn(tx.Tables, c) > 0 {
			return model.Errorf("ClusterContainsCapacityProviderException",
				"The Cluster cannot be deleted while Cluster Scoped Capacity Providers are attached to the cluster.") // [O]
		}
		c.Status = model.ClusterInactive
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteClusterOutput{Cluster: c}, nil
}
