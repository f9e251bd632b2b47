package acs

// Messages of what our own agent has to say of its tasks (docs/decisions/042). Stock agents say it with SubmitTaskStateChange.
type (
	// RoadsteadReports are reports of tasks, those of one task in their order. Agents have one message of them under way at a time.
	RoadsteadReports struct {
		MessageID string                         `json:"messageId"`
		Reports   []SubmitTaskStateChangeRequest `json:"reports"` // without Cluster
	}

	// RoadsteadReported answers when what the reports say is durable, or will never be.
	RoadsteadReported struct {
		MessageID string `json:"messageId"`
		// Unknown are tasks, by their ARNs, that the control plane does not know: nobody is to report them again.
		Unknown []string `json:"unknown,omitempty"`
		// Error is why the reports could not be taken, all of them: they are to come again. "" if they were.
		Error string `json:"error,omitempty"`
	}
)
