package model

// Backfill copies what was pushed before there was a rule to a registry. What becomes of each image is in Replications. Writer: api/ecr.
type Backfill struct {
	Scope
	ID        string      `json:"id"` // uuid
	To        Destination `json:"to"`
	Status    string      `json:"status"` // PREPARING, IN_PROGRESS, COMPLETE, STOPPING, STOPPED
	StartedAt Millis      `json:"startedAt"`
	EndedAt   Millis      `json:"endedAt,omitempty"`
	// Total is how many images there are to copy, each tag of one counted; Completed, Failed and Codes are known at the end.
	Total     int32    `json:"total,omitempty"`
	Completed int32    `json:"completed,omitempty"`
	Failed    int32    `json:"failed,omitempty"`
	Codes     []string `json:"codes,omitempty"`
}

// Key is the backfill's row key.
func (b *Backfill) Key() string { return b.Scope.Key(b.ID) }
