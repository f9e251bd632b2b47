package definition_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/definition"
)

const asmARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf"

// fileVolume is a volume of ours with driver options in JSON, in a task with an execution role.
func fileVolume(driver, opts string) string {
	return task(`"taskRoleArn":"t","executionRoleArn":"r","volumes":[`+fileVolumeAlone(driver, opts)+`]`, `"mountPoints":[{"sourceVolume":"v","containerPath":"/v"}]`)
}

func fileVolumeAlone(driver, opts string) string {
	return fmt.Sprintf(`{"name":"v","dockerVolumeConfiguration":{"driver":%q,"driverOpts":{%s}}}`, driver, opts)
}

func tokenVolume(opts string) string {
	return task(`"taskRoleArn":"r","volumes":[`+fileVolumeAlone("roadstead-web-identity", opts)+`]`, "")
}

// TestRefusedFiles: what a node could not do is refused when the definition is registered (docs/decisions/029).
func TestRefusedFiles(t *testing.T) {
	opt := func(s string) string { return fileVolume("roadstead-secret", s) }
	const invalid = client + "Invalid driver option '%s' of volume 'v'. It must be "
	runRefusals(t, []refusal{
		{"nothing", opt(``), client + "Volume 'v' needs the driver option 'secret', 'secrets' or 'path'."},
		{"another driver's option", fileVolume("roadstead-config", `"secret":"x"`), client + "Unknown driver option 'secret' of volume 'v'."},
		{"empty", opt(`"secret":""`), fmt.Sprintf(invalid, "secret") + "a valueFrom of a secret, a parameter or an S3 object."},
		{"no file", opt(`"secrets":"/app/x"`), fmt.Sprintf(invalid, "secrets") + "FILE=VALUEFROM, several of them with spaces between, and plain file names."},
		{"a path", opt(`"secrets":"../x=/app/x"`), fmt.Sprintf(invalid, "secrets") + "FILE=VALUEFROM, several of them with spaces between, and plain file names."},
		{"twice", opt(`"secrets":"a=/x a=/y"`), fmt.Sprintf(invalid, "secrets") + "FILE=VALUEFROM, several of them with spaces between, and plain file names."},
		{"only spaces", opt(`"secrets":" , "`), fmt.Sprintf(invalid, "secrets") + "FILE=VALUEFROM, several of them with spaces between, and plain file names."},
		{"path", opt(`"path":"app"`), fmt.Sprintf(invalid, "path") + "the path of parameters, from / on."},
		{"mode", opt(`"secret":"x","mode":"0800"`), fmt.Sprintf(invalid, "mode") + "an octal number of at most 0777."},
		{"setuid", opt(`"secret":"x","mode":"4755"`), fmt.Sprintf(invalid, "mode") + "an octal number of at most 0777."},
		{"uid", opt(`"secret":"x","uid":"root"`), fmt.Sprintf(invalid, "uid") + "a user id."},
		{"gid", opt(`"secret":"x","gid":"4294967296"`), fmt.Sprintf(invalid, "gid") + "a group id."},
		{"gid on FARGATE", fargate(`"executionRoleArn":"r","volumes":[`+fileVolumeAlone("roadstead-secret", `"secret":"x","gid":"65536"`)+`]`, ""),
			client + "Invalid driver options of volume 'v'. Fargate supports user and group ids up to 65535."},
		{"signal", opt(`"secret":"x","signal":"SIGKILL"`), fmt.Sprintf(invalid, "signal") + "one of SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH."},
		{"refresh", opt(`"secret":"x","refresh":"10ms"`), fmt.Sprintf(invalid, "refresh") + "a duration from 1s to 24h, or off."},
		{"no role", task(`"volumes":[`+fileVolumeAlone("roadstead-secret", `"secret":"x"`)+`]`, ""), client + "When you are specifying a volume of the driver roadstead-secret, you must also specify a value for 'executionRoleArn'."},
		{"no audience", tokenVolume(`"file":"t"`), client + "Volume 'v' needs the driver option 'audience'."},
		{"an empty audience", tokenVolume(`"audience":"a,,b"`), fmt.Sprintf(invalid, "audience") + "one text or several with commas between."},
		{"a token for long", tokenVolume(`"audience":"a","duration":"61m"`), fmt.Sprintf(invalid, "duration") + "a duration from 1m to 1h."},
		{"a weak token", tokenVolume(`"audience":"a","algorithm":"HS256"`), fmt.Sprintf(invalid, "algorithm") + "RS256 or ES384."},
		{"a token's path", tokenVolume(`"audience":"a","file":"/x"`), fmt.Sprintf(invalid, "file") + "a plain file name."},
		{"a token with a secret", tokenVolume(`"audience":"a","secret":"x"`), client + "Unknown driver option 'secret' of volume 'v'."},
		{"a token of nobody", task(`"executionRoleArn":"r","volumes":[`+fileVolumeAlone("roadstead-web-identity", `"audience":"a"`)+`]`, ""), client + "When you are specifying a volume of the driver roadstead-web-identity, you must also specify a value for 'taskRoleArn'."},
		{"shared", task(`"executionRoleArn":"r","volumes":[{"name":"v","dockerVolumeConfiguration":{"driver":"roadstead-config","scope":"shared","driverOpts":{"config":"x"}}}]`, ""),
			client + "Volume 'v' of the driver roadstead-config must have the scope task."},
		{"provisioned", task(`"executionRoleArn":"r","volumes":[{"name":"v","dockerVolumeConfiguration":{"driver":"roadstead-config","autoprovision":true,"driverOpts":{"config":"x"}}}]`, ""),
			client + "Volume 'v' of the driver roadstead-config must have the scope task."},
	})
}

// TestFiles: what a node is told of a volume with files, on FARGATE, too.
func TestFiles(t *testing.T) {
	for _, c := range []struct {
		driver, opts string
		want         acs.FileVolume
	}{
		{"roadstead-secret", `"secret":"` + asmARN + `"`, acs.FileVolume{Mode: 0o400, Refresh: 30, Sources: []acs.FileSource{{ValueFrom: asmARN, Provider: "asm"}}}},
		{"roadstead-secret", `"secrets":"a=` + asmARN + `:k::\nb.pem=/app/b, c=arn:aws:s3:::box/c","mode":"440","uid":"7","gid":"8","signal":"HUP","refresh":"2m"`,
			acs.FileVolume{Mode: 0o440, UID: 7, GID: 8, Signal: "SIGHUP", Refresh: 120, Sources: []acs.FileSource{
				{Name: "a", ValueFrom: asmARN + ":k::", Provider: "asm"}, {Name: "b.pem", ValueFrom: "/app/b", Provider: "ssm"},
				{Name: "c", ValueFrom: "arn:aws:s3:::box/c", Provider: "s3"}}}},
		{"roadstead-config", `"config":"/app/all","configs":"x=/app/x:3","path":"/app/","refresh":"off"`, acs.FileVolume{Mode: 0o444, Sources: []acs.FileSource{
			{ValueFrom: "/app/all", Provider: "ssm"}, {Name: "x", ValueFrom: "/app/x:3", Provider: "ssm"}, {ValueFrom: "/app/", Provider: "ssm-path"}}}},
		{"roadstead-web-identity", `"audience":"a,b","file":"t","duration":"10m","algorithm":"ES384"`, acs.FileVolume{Mode: 0o400, Refresh: 150, Sources: []acs.FileSource{
			{Name: "t", ValueFrom: "a,b", Provider: "sts", Algorithm: "ES384", Duration: 600}}}},
	} {
		doc := fileVolume(c.driver, c.opts)
		fargate := fargate(`"taskRoleArn":"t","executionRoleArn":"r","volumes":[`+fileVolumeAlone(c.driver, c.opts)+`]`, `"mountPoints":[{"sourceVolume":"v","containerPath":"/v"}]`)
		for launch, doc := range map[string]string{"EC2": doc, "FARGATE": fargate} {
			def := normalize(t, doc)
			if def.Volumes[0].DockerVolumeConfiguration.Scope != types.ScopeTask {
				t.Errorf("the scope is %q", def.Volumes[0].DockerVolumeConfiguration.Scope)
			}
			p, err := definition.Payload(placed(&def, launch), &def, definition.Around{})
			if err != nil || len(p.Volumes) != 1 {
				t.Fatalf("%v: %v", err, p.Volumes)
			}
			if got := p.Volumes[0]; got.Type != "files" || got.Docker != nil || got.Host != nil || !reflect.DeepEqual(*got.Files, c.want) {
				t.Errorf("%s: got %+v, want %+v", c.opts, got.Files, c.want)
			}
		}
	}
}

// TestFilesNeverLeave: whatever is written as options, no file's name leads out of its volume, and no other one is told twice.
func TestFilesNeverLeave(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.StringMatching(`([a./= ,]{1,8}=/[a-z]{1,3}[ ,]?){1,4}`).Draw(rt, "secrets")
		text, err := json.Marshal(list)
		if err != nil {
			rt.Fatal(err)
		}
		def, err := definition.Normalize(input(t, fileVolume("roadstead-secret", `"secrets":`+string(text))))
		if err != nil {
			return
		}
		p, err := definition.Payload(placed(&def, "EC2"), &def, definition.Around{})
		if err != nil {
			rt.Fatal(err)
		}
		seen := map[string]bool{}
		for _, s := range p.Volumes[0].Files.Sources {
			if seen[s.Name] || s.Name == "" || strings.Contains(s.Name, "/") || strings.HasPrefix(s.Name, "..") {
				rt.Errorf("file %q of %q", s.Name, list)
			}
			seen[s.Name] = true
		}
	})
}
