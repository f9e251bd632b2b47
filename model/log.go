package model

// LogGroup is a log group of CloudWatch Logs; its streams and events are in the log store, under ID. Writer: api/logs.
type LogGroup struct {
	Scope
	Name      string `json:"name"` // may hold "/"
	ID        string `json:"id"`   // of its folder in the log store: a group that is made again has another
	CreatedAt Millis `json:"createdAt"`
	// RetentionDays is after how many days events go; 0 means never.
	RetentionDays int32             `json:"retentionDays,omitempty"`
	Class         string            `json:"class,omitempty"` // STANDARD, INFREQUENT_ACCESS or DELIVERY
	KMSKey        string            `json:"kmsKey,omitempty"`
	Protected     bool              `json:"protected,omitempty"` // deletionProtectionEnabled
	Tags          []Tag             `json:"tags,omitempty"`
	MetricFilters []LogMetricFilter `json:"metricFilters,omitempty"` // by name
	Subscriptions []LogSubscription `json:"subscriptions,omitempty"` // by name
	Policy        LogGroupPolicy    `json:"policy,omitzero"`
}

// LogGroupPolicy is the resource policy of one group; its zero value is none.
type LogGroupPolicy struct {
	Name      string `json:"name,omitempty"`
	Document  string `json:"document"`
	Revision  string `json:"revision"` // another after each change
	UpdatedAt Millis `json:"updatedAt"`
}

// Key is the group's row key.
func (g *LogGroup) Key() string { return g.Scope.Key(g.Name) }

// ARN is the group's Amazon resource name, without the ":*" that stands for its streams.
func (g *LogGroup) ARN() string { return g.Scope.ARN("logs", "log-group:"+g.Name) }

// LogMetricFilter says which events of a group make values of metrics.
type LogMetricFilter struct {
	Name      string               `json:"name"`
	Pattern   string               `json:"pattern"`
	CreatedAt Millis               `json:"createdAt"`
	Metrics   []LogMetricTransform `json:"metrics"`
	// Transformed means that it looks at events as the group's transformer leaves them.
	Transformed bool `json:"transformed,omitempty"`
}

// LogMetricTransform is the metric of a filter.
type LogMetricTransform struct {
	Namespace  string            `json:"namespace"`
	Name       string            `json:"name"`
	Value      string            `json:"value"` // a number, or a field of the event: "$.latency"
	Default    *float64          `json:"default,omitempty"`
	Unit       string            `json:"unit,omitempty"`
	Dimensions map[string]string `json:"dimensions,omitempty"` // their values are fields of the event
}

// LogSubscription is a subscription filter: the events of a group that match are sent to a URL.
type LogSubscription struct {
	Name         string `json:"name"`
	ID           string `json:"id"` // under which the log store keeps how far it is: one that is made again has another
	Pattern      string `json:"pattern"`
	Destination  string `json:"destination"`            // URL
	Distribution string `json:"distribution,omitempty"` // as it was asked for: ByLogStream or Random
	Role         string `json:"role,omitempty"`         // ARN, as it was given: a URL needs none
	CreatedAt    Millis `json:"createdAt"`              // events that came before are not sent
}

// LogPolicy is a resource policy of CloudWatch Logs that is about an account's groups. Writer: api/logs.
type LogPolicy struct {
	Scope
	Name      string `json:"name"`
	Document  string `json:"document"`
	UpdatedAt Millis `json:"updatedAt"`
}

// Key is the policy's row key.
func (p *LogPolicy) Key() string { return p.Scope.Key(p.Name) }

// LogQuery is a query definition: an Insights query that somebody has given a name. Writer: api/logs.
type LogQuery struct {
	Scope
	ID        string   `json:"id"` // UUID
	Name      string   `json:"name"`
	Text      string   `json:"text"`
	Groups    []string `json:"groups,omitempty"` // names
	UpdatedAt Millis   `json:"updatedAt"`
}

// Key is the definition's row key.
func (q *LogQuery) Key() string { return q.Scope.Key(q.ID) }

// LogExport is an export task of CloudWatch Logs: events of a group on their way into objects of S3. Writer: api/logs.
type LogExport struct {
	Scope
	ID        string `json:"id"` // UUID
	Name      string `json:"name,omitempty"`
	Group     string `json:"group"`             // name
	GroupID   string `json:"groupId"`           // LogGroup.ID: a group that is made again is another
	Streams   string `json:"streams,omitempty"` // beginning of the names of those that are meant
	From      Millis `json:"from"`              // of the events' own times
	To        Millis `json:"to"`                // included
	Bucket    string `json:"bucket"`
	Prefix    string `json:"prefix"` // of the objects' keys, without the "/" behind it
	Status    string `json:"status"` // PENDING, RUNNING, PENDING_CANCEL, CANCELLED, COMPLETED or FAILED
	Message   string `json:"message,omitempty"`
	CreatedAt Millis `json:"createdAt"`
	EndedAt   Millis `json:"endedAt,omitempty"`
}

// Key is the task's row key.
func (e *LogExport) Key() string { return e.Scope.Key(e.ID) }
