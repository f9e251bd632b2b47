package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The command line is who the aws command would be: by the environment, then by a profile; and a dev server's root user if nothing says.
func TestWhoCalls(t *testing.T) {
	var signed, token string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed, _, _ = strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), ",")
		token = r.Header.Get("X-Amz-Security-Token")
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer srv.Close()
	home := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const keys = "aws_access_key_id = %\naws_secret_access_key = s\n"
	key := func(id string) string { return strings.Replace(keys, "%", id, 1) }
	credentials := "[default]\n" + key("DEFAULT") + "[work]\n" + key("WORK") + "aws_session_token = t\n"
	other := write("other", "[default]\n"+key("OTHER"))
	config := "[default]\nregion = eu-west-1\n[profile work]\nregion = eu-west-2\n[profile plain]\nregion = eu-west-3\n[profile called]\n" +
		`credential_process = echo '{"Version":1,"AccessKeyId":"CALLED","SecretAccessKey":"s"}'` + "\n"
	for name, c := range map[string]struct {
		env   string
		files bool
		args  string
		want  string // key id and Region
		token string
		fails string
	}{
		"nothing":                         {want: "test us-east-1"},
		"the default profile":             {files: true, want: "DEFAULT eu-west-1"},
		"a profile":                       {files: true, env: "AWS_PROFILE=work", want: "WORK eu-west-2", token: "t"},
		"another file":                    {files: true, env: "AWS_SHARED_CREDENTIALS_FILE=" + other, want: "OTHER eu-west-1"},
		"a profile without keys":          {files: true, env: "AWS_PROFILE=plain", want: "test eu-west-3"},
		"a profile that calls":            {files: true, env: "AWS_PROFILE=called", want: "CALLED us-east-1"},
		"a profile that is not there":     {files: true, env: "AWS_PROFILE=none", fails: "none"},
		"keys before profiles":            {files: true, env: "AWS_PROFILE=work AWS_ACCESS_KEY_ID=ENV AWS_SECRET_ACCESS_KEY=s", want: "ENV eu-west-2"},
		"the environment's Region":        {files: true, env: "AWS_REGION=us-west-1 AWS_PROFILE=work", want: "WORK us-west-1", token: "t"},
		"the environment's older Region":  {files: true, env: "AWS_DEFAULT_REGION=us-west-2", want: "DEFAULT us-west-2"},
		"a flag before all":               {files: true, env: "AWS_REGION=us-west-1", args: "--region ap-south-1", want: "DEFAULT ap-south-1"},
		"all by the environment, no file": {env: "AWS_PROFILE=none AWS_REGION=us-west-1 AWS_ACCESS_KEY_ID=ENV AWS_SECRET_ACCESS_KEY=s", want: "ENV us-west-1"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range os.Environ() {
				if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
					t.Setenv(name, "")
					os.Unsetenv(name)
				}
			}
			t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, ".aws", "config")) // the library has looked for the home directory already
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, ".aws", "credentials"))
			os.RemoveAll(filepath.Join(home, ".aws"))
			if c.files {
				write(".aws/credentials", credentials)
				write(".aws/config", config)
			}
			for v := range strings.FieldsSeq(c.env) {
				name, value, _ := strings.Cut(v, "=")
				t.Setenv(name, value)
			}
			signed, token = "", ""
			_, stderr, _ := run(t, append([]string{"ps", "--endpoint", srv.URL}, strings.Fields(c.args)...)...)
			if c.fails != "" {
				if signed != "" || !strings.Contains(stderr, c.fails) {
					t.Errorf("signed as %s, %q", signed, stderr)
				}
				return
			}
			parts := append(strings.Split(signed, "/"), "", "", "")
			if got := parts[0] + " " + parts[2]; got != c.want || token != c.token {
				t.Errorf("called as %q with token %q: %s", got, token, stderr)
			}
		})
	}
}

// Who names neither a server nor a profile means the dev server on this machine, also with keys of AWS at home.
func TestDevServerIsNotForTheDefaultProfile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = HOME\naws_secret_access_key = s\nregion = eu-west-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_CONFIG_FILE", file)
	for endpoint, want := range map[string]string{defaultEndpoint: "test us-east-1", "http://10.0.0.1:4566": "HOME eu-west-1"} {
		who, region, err := sender(t.Context(), endpoint, "")
		if got := who.AccessKeyID + " " + region; err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", endpoint, got, err, want)
		}
	}
}
