package ecs

import (
	"context"
	"encoding/json"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// registerInput is RegisterContainerInstance as agents send it: the public model lacks clientToken (AGENT-PROTOCOL
// §1.1).
type registerInput struct {
	Attributes           []types.Attribute      `wire:"attributes"`
	ClientToken          *string                `wire:"clientToken"`
	Cluster              *string                `wire:"cluster"`
	ContainerInstanceArn *string                `wire:"containerInstanceArn"`
	IdentityDocument     *string                `wire:"instanceIdentityDocument"`
	PlatformDevices      []types.PlatformDevice `wire:"platformDevices"`
	Tags                 []types.Tag            `wire:"tags"`
	TotalResources       []types.Resource       `wire:"totalResources"`
	VersionInfo          *types.VersionInfo     `wire:"versionInfo"`
}

// identity is what we read of an instance identity document.
type identity struct {
	InstanceID string `json:"instanceId"`
	Zone       string `json:"availabilityZone"`
	Type       string `json:"instanceType"`
	Image      string `json:"imageId"`
}

// registerInstance makes a container instance, or refreshes the one that the agent was before (SEMANTICS §2.3). The
// attributes are echoed, or the stock agent gives up (AGENT-PROTOCOL §1.1).
func (a *api) registerInstance(ctx context.Context, in *registerInput) (*sdk.RegisterContainerInstanceOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	fresh, err := a.readInstance(in)
	if err != nil {
		return nil, err
	}
	fresh.Scope, fresh.ID, fresh.RegisteredAt = who.Scope(), a.NewID(), a.nowMillis()
	if who.Kind == model.KeyNode {
		fresh.NodeKey = who.AccessKeyID
	}
	var row *model.Instance
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		c, err := registerCluster(tx, fresh, in.Cluster)
		if err != nil {
			return err
		}
		row, err = a.register(tx, c, *fresh, value(in.ContainerInstanceArn))
		return err
	})
	if err != nil {
		return nil, err
	}
	v := viewInstance(a.DB.Snapshot().Tables, row, instanceDetail{tags: true})
	return &sdk.RegisterContainerInstanceOutput{ContainerInstance: &v}, nil
}

// registerCluster returns the cluster to register to; the default one is made by the first registration (SEMANTICS
// §1.1) [D].
func registerCluster(tx *state.Tx, fresh *model.Instance, ref *string) (*model.Cluster, error) {
	if name, ok := clusterName(fresh.Scope, ref); ok && name == model.DefaultCluster {
		defaultCluster(tx, fresh.Scope, fresh.RegisteredAt)
	}
	if fresh.FargateOnly() { // serves all clusters, whatever became of its own
		return findCluster(tx.Tables, fresh.Scope, ref)
	}
	return activeCluster(tx.Tables, fresh.Scope, ref)
}

// register writes the row of a new instance, or the refreshed row of one that is known by its ARN or its token.
func (a *api) register(tx *state.Tx, c *model.Cluster, fresh model.Instance, arn string) (*model.Instance, error) {
	fresh.Cluster = c.Name
	if arn != "" {
		old, m, err := findNode(tx.Tables, c, arn)
		switch {
		case err != nil:
			return nil, err
		case old == nil || old.Status == model.InstanceInactive:
			return nil, invalid("Referenced container instance %s not found.", m.given) // [I for INACTIVE ones]
		}
		return reregister(tx, old, fresh)
	}
	if fresh.Token != "" {
		for i := range tx.InstancesOf(c.Scope, c.Name) {
			if i.Token == fresh.Token && i.Status != model.InstanceInactive {
				return i, nil
			}
		}
	}
	if fresh.EC2ID == "" {
		fresh.EC2ID = "i-" + fresh.ID[len(fresh.ID)-17:] // machines of our own have no EC2 id, but clients index it
	}
	fresh.Status, fresh.Version = model.InstanceActive, 1
	tx.Instances.Put(&fresh)
	return &fresh, nil
}

// reregister refreshes resources, attributes and versions; identity, status, tags and who is connected stay. An
// instance cannot come back as another kind of machine.
func reregister(tx *state.Tx, old *model.Instance, fresh model.Instance) (*model.Instance, error) {
	for _, name := range []string{attrInstanceType, attrOS, attrArchitecture} {
		was, had := old.Attribute(name)
		is, has := fresh.Attribute(name)
		if had && has && was.Value != is.Value {
			return nil, refused("Container instance type changes are not supported. Container instance %s was previously "+
				"registered as %s.", old.ARN(), was.Value) // [O for the type; I for the others]
		}
	}
	row := *old
	row.Version++
	row.Resources = fresh.Resources
	row.Attributes = fresh.Attributes
	for _, attr := range old.Attributes {
		_, again := fresh.Attribute(attr.Name)
		identified := slices.Contains([]string{attrZone, attrInstanceType, attrImage}, attr.Name)
		if !again && (identified || !builtIn(attr.Name)) { // not every registration has a document; others are of PutAttributes
			row.Attributes = append(row.Attributes, attr)
		}
	}
	if fresh.AgentVersion != "" {
		row.AgentVersion, row.AgentHash, row.DockerVersion = fresh.AgentVersion, fresh.AgentHash, fresh.DockerVersion
	}
	if fresh.Token != "" {
		row.Token = fresh.Token
	}
	if fresh.NodeKey != "" {
		row.NodeKey = fresh.NodeKey
	}
	tx.Instances.Put(&row)
	return &row, nil
}

// readInstance reads what an agent says of its machine.
func (a *api) readInstance(in *registerInput) (*model.Instance, error) {
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	i := &model.Instance{Token: value(in.ClientToken), Tags: tags, Resources: model.Resources{ENIs: a.Limits.InstanceENIs}}
	for _, r := range in.Attributes {
		attr := readAttribute(r)
		if attr.Name == "" {
			return nil, invalid("Attribute name can not be blank.") // [I]
		}
		if at := slices.IndexFunc(i.Attributes, func(o model.Attribute) bool { return o.Name == attr.Name }); at >= 0 {
			i.Attributes[at] = attr
			continue
		}
		i.Attributes = append(i.Attributes, attr)
	}
	if v := in.VersionInfo; v != nil {
		i.AgentVersion, i.AgentHash, i.DockerVersion = value(v.AgentVersion), value(v.AgentHash), value(v.DockerVersion)
	}
	for _, d := range in.PlatformDevices {
		if d.Type == types.PlatformDeviceTypeGpu {
			i.Resources.GPUs = append(i.Resources.GPUs, value(d.Id))
		}
	}
	if err := readIdentity(i, value(in.IdentityDocument)); err != nil {
		return nil, err
	}
	return i, readResources(&i.Resources, in.TotalResources)
}

// readIdentity takes what the machine's identity document says and the attributes do not.
func readIdentity(i *model.Instance, document string) error {
	if document == "" {
		return nil
	}
	var id identity
	if err := json.Unmarshal([]byte(document), &id); err != nil {
		return invalid("The instance identity document is not valid JSON.") // [I]
	}
	i.EC2ID = id.InstanceID
	for _, attr := range []model.Attribute{{Name: attrZone, Value: id.Zone}, {Name: attrInstanceType, Value: id.Type}, {Name: attrImage, Value: id.Image}} {
		if _, ok := i.Attribute(attr.Name); !ok && attr.Value != "" {
			attr.HasValue = true
			i.Attributes = append(i.Attributes, attr)
		}
	}
	return nil
}
