package secretsmanager

import (
	"regexp"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/recurrence"
)

// Limits of rotation rules [D].
const (
	longestRound  = 1000 // days
	shortestRound = 4 * time.Hour
	longestWindow = 24 // hours
)

var duration = regexp.MustCompile(`^([0-9]{1,2})h$`)

// readRules takes the rules of a request over, nil for none.
func readRules(r *model.Rotation, in *types.RotationRulesType) error {
	if in == nil {
		return nil
	}
	r.Days, r.Schedule, r.Duration = deref(in.AutomaticallyAfterDays), deref(in.ScheduleExpression), deref(in.Duration)
	switch {
	case in.AutomaticallyAfterDays != nil && in.ScheduleExpression != nil:
		return badParameter("You can't specify both AutomaticallyAfterDays and ScheduleExpression.") // [D] the rule, [I] the words
	case in.AutomaticallyAfterDays != nil && (r.Days < 1 || r.Days > longestRound):
		return badParameter("The AutomaticallyAfterDays value must be between 1 and %d.", longestRound) // [D] the rule, [I] the words
	case in.Duration != nil && !validWindow(r.Duration):
		return badParameter("Invalid rotation window duration %s.", r.Duration) // [D] the rule, [I] the words
	case in.ScheduleExpression != nil:
		return checkSchedule(r.Schedule)
	}
	return nil
}

func validWindow(text string) bool {
	m := duration.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	n, err := strconv.Atoi(m[1])
	return err == nil && n >= 1 && n <= longestWindow
}

// checkSchedule refuses what no rotation goes by [D]: a window opens at the full hour, and not more often than every four hours.
func checkSchedule(text string) error {
	e, err := recurrence.Parse(text)
	if err != nil {
		return badParameter("Invalid ScheduleExpression: %v", err) // [I]
	}
	if e.Every != 0 && (e.Every < shortestRound || e.Every%time.Hour != 0) {
		return badParameter("Invalid ScheduleExpression: a secret is rotated every four hours at most, and at the full hour.") // [I]
	}
	if m := e.Minutes(); e.Every == 0 && (len(m) != 1 || m[0] != 0) {
		return badParameter("Invalid ScheduleExpression: the minutes of a cron expression have to be 0.") // [I]
	}
	return nil
}

// opens is when the next window opens after a time, 0 for never. Windows of days open at midnight, those of hours at the full hour [D].
func opens(r *model.Rotation, after model.Millis) model.Millis {
	at := time.UnixMilli(after).UTC()
	switch {
	case r.Days != 0:
		return at.Truncate(24*time.Hour).AddDate(0, 0, int(r.Days)).UnixMilli()
	case r.Schedule == "":
		return 0
	}
	e, err := recurrence.Parse(r.Schedule)
	if err != nil {
		return 0 // it was read when it was set
	}
	next := e.Next(at)
	switch {
	case next.IsZero():
		return 0
	case e.Days:
		next = next.Truncate(24 * time.Hour)
	case e.Every != 0:
		next = next.Truncate(time.Hour)
	}
	return next.UnixMilli()
}

// closes is when the window that opens next closes, 0 if there is none: the rotation comes before that. Without a duration it is the end
// of the day, or of the hour if it is one of hours [D].
func closes(r *model.Rotation) model.Millis {
	const hour = 3600 * 1000
	if r.NextAt == 0 {
		return 0
	}
	if m := duration.FindStringSubmatch(r.Duration); m != nil {
		n, _ := strconv.Atoi(m[1]) // two digits
		return r.NextAt + int64(n)*hour
	}
	if e, err := recurrence.Parse(r.Schedule); err == nil && e.Every != 0 && !e.Days {
		return r.NextAt + hour
	}
	return time.UnixMilli(r.NextAt).UTC().Truncate(24*time.Hour).AddDate(0, 0, 1).UnixMilli()
}
