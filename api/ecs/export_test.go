package ecs

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
)

// RunTask calls the handler as wire does, for benchmarks.
func RunTask(cfg Config) func(context.Context, *sdk.RunTaskInput) (*sdk.RunTaskOutput, error) {
	return (&api{cfg}).runTask
}
