// Package cli is the command line: flags, help, and what operators type. It holds no logic of the product: a command
// assembles a process (server, agent) or calls the endpoint and prints the answer.
package cli
