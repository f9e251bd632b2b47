package model

import "fmt"

// taskRow is the first byte of a stored task, which tells the form.
const taskRow = 1

// AppendRow appends the task as it is stored, without Overrides.
func (t *Task) AppendRow(b []byte) []byte {
	c := rowCodec{out: append(b, taskRow)}
	t.fields(&c)
	return append(c.out, 0)
}

// ReadRow reads what AppendRow wrote into an empty task, and returns what follows it.
func (t *Task) ReadRow(b []byte) (rest []byte, err error) {
	if len(b) == 0 || b[0] != taskRow {
		return nil, fmt.Errorf("not a task: %w", errRow)
	}
	t.Launch = new(Launch)
	c := rowCodec{reading: true, row: string(b), at: 1}
	c.next()
	t.fields(&c)
	c.end()
	return b[c.at:], c.err
}

// fields are those of the stored task. Numbers are never used again for anything else.
func (t *Task) fields(c *rowCodec) {
	c.text(1, &t.Account)
	c.text(2, &t.Region)
	c.text(3, &t.Cluster)
	c.id(4, &t.ID)
	c.text(5, &t.Definition)
	c.common(6, &t.Instance)
	c.common(7, &t.InstanceCluster)
	c.common(8, &t.Zone)
	t.Launch.fields(c)
	t.Reserved.fields(c, 26)
	c.word(33, &t.Desired)
	c.word(34, &t.StopCode)
	c.text(35, &t.StopReason)
	c.word(36, &t.Last)
	number(c, 37, &t.Version)
	c.word(38, &t.Health)
	list(c, 39, &t.Containers, (*Container).fields)
	list(c, 40, &t.Attachments, (*Attachment).fields)
	number(c, 41, &t.CreatedAt)
	number(c, 42, &t.PullStartedAt)
	number(c, 43, &t.PullStoppedAt)
	number(c, 44, &t.StartedAt)
	number(c, 45, &t.ConnectivityAt)
	number(c, 46, &t.StoppingAt)
	number(c, 47, &t.ExecutionStoppedAt)
	number(c, 48, &t.StoppedAt)
	list(c, 49, &t.Tags, (*Tag).fields)
	number(c, 50, &t.HealthyAt)
	number(c, 51, &t.ProtectedUntil)
	c.flag(52, &t.Counted)
}

// fields are those of the launch that come after the place of its task.
func (l *Launch) fields(c *rowCodec) {
	c.word(9, &l.LaunchType)
	c.word(10, &l.Network)
	c.text(11, &l.Group)
	c.text(12, &l.StartedBy)
	c.text(13, &l.CPU)
	c.text(14, &l.Memory)
	c.flag(15, &l.ExecEnabled)
	c.word(16, &l.PlatformVersion)
	c.word(17, &l.CapacityProvider)
	number(c, 18, &l.EphemeralStorage)
	c.word(19, &l.AssignPublicIP)
	list(c, 20, &l.Subnets, idField)
	list(c, 21, &l.SecurityGroups, idField)
	c.word(22, &l.PropagateTags)
	c.flag(23, &l.EnableManagedTags)
	list(c, 24, &l.Constraints, (*PlacementConstraint).fields)
	list(c, 25, &l.Strategy, (*PlacementStrategy).fields)
}

// fields takes seven numbers from the first on.
func (r *Resources) fields(c *rowCodec, first int) {
	number(c, first, &r.CPU)
	number(c, first+1, &r.Memory)
	list(c, first+2, &r.PortsTCP, portField)
	list(c, first+3, &r.PortsUDP, portField)
	list(c, first+4, &r.GPUs, idField)
	number(c, first+5, &r.ENIs)
	list(c, first+6, &r.Addresses, textField)
}

func (p *Container) fields(c *rowCodec) {
	c.common(1, &p.Name)
	c.id(2, &p.ID)
	c.common(3, &p.Image)
	c.common(4, &p.Digest)
	c.id(5, &p.RuntimeID)
	c.word(6, &p.Status)
	c.flag(7, &p.Essential)
	number(c, 8, &p.CPU)
	number(c, 9, &p.Memory)
	number(c, 10, &p.SoftLimit)
	c.word(11, &p.Health)
	c.flag(12, &p.Exited)
	number(c, 13, &p.ExitCode)
	c.text(14, &p.Reason)
	list(c, 15, &p.Bindings, (*PortBinding).fields)
}

func (b *PortBinding) fields(c *rowCodec) {
	c.word(1, &b.BindIP)
	number(c, 2, &b.ContainerPort)
	number(c, 3, &b.HostPort)
	c.word(4, &b.Protocol)
	c.text(5, &b.ContainerRange)
	c.text(6, &b.HostRange)
}

func (a *Attachment) fields(c *rowCodec) {
	c.id(1, &a.ID)
	c.word(2, &a.Type)
	c.word(3, &a.Status)
	list(c, 4, &a.Details, (*Tag).fields)
}

func (t *Tag) fields(c *rowCodec) {
	c.word(1, &t.Key)
	c.id(2, &t.Value)
}

func (p *PlacementConstraint) fields(c *rowCodec) {
	c.word(1, &p.Type)
	c.text(2, &p.Expression)
}

func (p *PlacementStrategy) fields(c *rowCodec) {
	c.word(1, &p.Type)
	c.word(2, &p.Field)
}

func textField(v *string, c *rowCodec) { c.text(1, v) }
func idField(v *string, c *rowCodec)   { c.id(1, v) }
func portField(v *int32, c *rowCodec)  { number(c, 1, v) }
