// Command roadstead is Amazon ECS on your own machines: control plane, node and command line in one binary. It must not
// know anything but the command line, which knows the rest.
package main

import (
	"os"

	"github.com/roadstead/roadstead/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
