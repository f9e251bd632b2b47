package model

// PlacementConstraint binds where a task may go (SEMANTICS §5.2): ConstraintDistinctInstance, or ConstraintMemberOf with an
// expression of the cluster query language.
type PlacementConstraint struct {
	Type       string `json:"type"`
	Expression string `json:"expression,omitempty"`
}

// The types of placement constraints.
const (
	ConstraintDistinctInstance = "distinctInstance"
	ConstraintMemberOf         = "memberOf"
)

// PlacementStrategy prefers some of the instances where a task may go (SEMANTICS §5.4). Field is in its normal form:
// "instanceId" or "attribute:NAME" of a spread, "CPU" or "MEMORY" of a binpack, "" of random.
type PlacementStrategy struct {
	Type  string `json:"type"`
	Field string `json:"field,omitempty"`
}

// The types of placement strategies, and the fields that are no attributes.
const (
	StrategyRandom  = "random"
	StrategySpread  = "spread"
	StrategyBinpack = "binpack"

	FieldInstance = "instanceId"
	FieldCPU      = "CPU"
	FieldMemory   = "MEMORY"
	// FieldAttribute is the prefix of an attribute's name.
	FieldAttribute = "attribute:"
)

// PoolAttribute is the attribute by which a node says which pool it belongs to: a capacity provider has the instances of
// one pool, which stands where AWS has an Auto Scaling group.
const PoolAttribute = "roadstead.pool"

// FargateAttribute is the attribute by which a node says that it takes FARGATE tasks, of whatever cluster.
const FargateAttribute = "roadstead.fargate"

// FargatePool is the pool whose nodes take FARGATE tasks and nothing else: no cluster shows them.
const FargatePool = "fargate"

// AllGPUs as a number of devices means every one of the instance, of which there must be one (SEMANTICS §4.5).
const AllGPUs = -1

// FargateOnly reports whether the instance takes FARGATE tasks only.
func (i *Instance) FargateOnly() bool { return i.Pool() == FargatePool }

// Pool is the pool that the instance belongs to, "" if it said none.
func (i *Instance) Pool() string {
	a, _ := i.Attribute(PoolAttribute)
	return a.Value
}

// TakesFargate reports whether the instance takes FARGATE tasks.
func (i *Instance) TakesFargate() bool {
	_, ok := i.Attribute(FargateAttribute)
	return ok
}
