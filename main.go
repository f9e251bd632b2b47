// Command roadstead is Amazon ECS on your own machines: control plane, node and command line in one binary.
package main

import (
	"os"

	"github.com/roadstead/roadstead/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
