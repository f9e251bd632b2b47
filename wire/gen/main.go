// Command gen reads the source of the AWS SDK modules and writes what reflection cannot see: the operations of each
// service, which members are required (only a doc comment says so), the members of each union, the wire names of modules
// that ship no schemas, and which exceptions are the server's fault. It must not know how the tables are used.
//
// Run it with `go generate ./wire`; it writes into the current folder. main_test.go proves that the committed output is what it would write today.
package main

import (
	"fmt"
	"log"
	"os"
)

// sdkModule is the prefix of every service's module path.
const sdkModule = "github.com/aws/aws-sdk-go-v2/service/"

// services are the SDK modules that wire has tables for. To add one: add it here, run go generate, and write its
// constructor in wire/services.go.
func services() []string {
	return []string{"cloudwatch", "cloudwatchlogs", "ecr", "ecs", "iam", "kms", "secretsmanager", "ssm", "sts"}
}

func main() {
	files, err := generate(services())
	if err != nil {
		log.Fatal(err)
	}
	for name, src := range files {
		if err := os.WriteFile(name, src, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// generate returns the generated files by name, relative to package wire.
func generate(services []string) (map[string][]byte, error) {
	files := map[string][]byte{}
	var all []*module
	for _, service := range services {
		m, err := load(service)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", service, err)
		}
		all = append(all, m)
		if files[service+"_gen.go"], err = render(serviceTemplate, m); err != nil {
			return nil, fmt.Errorf("render %s: %w", service, err)
		}
	}
	var err error
	if files["tables_gen.go"], err = render(tablesTemplate, all); err != nil {
		return nil, fmt.Errorf("render tables: %w", err)
	}
	return files, nil
}
