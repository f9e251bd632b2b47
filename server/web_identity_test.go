package server_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/roadstead/roadstead/oidc"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/test/steady"
)

// webRole makes a role that trusts a provider under a condition.
func webRole(t *testing.T, root somebody, name, provider, condition string) string {
	t.Helper()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":` + condition + `}]}`
	out, err := root.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	ok(t, err)
	return *out.Role.Arn
}

// stranger calls STS without credentials.
func stranger(s *server.Server) *sts.Client {
	return sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL()), Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1, HTTPClient: steady.Client()})
}

func become(t *testing.T, s *server.Server, role, token string, change ...func(*sts.AssumeRoleWithWebIdentityInput)) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	t.Helper()
	in := &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("session"), WebIdentityToken: &token}
	for _, f := range change {
		f(in)
	}
	return stranger(s).AssumeRoleWithWebIdentity(t.Context(), in)
}

func fetchJSON(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	ok(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	ok(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	ok(t, json.Unmarshal(b, into))
}

// tokensOf gets a token in each algorithm, verifies them as others do, and returns one.
func tokensOf(t *testing.T, ann somebody, issuer string, keys *oidc.JWKS) string {
	t.Helper()
	var v oidc.Verifier
	var token string
	for _, alg := range []string{"RS256", "ES384"} {
		out, err := ann.sts.GetWebIdentityToken(t.Context(), &sts.GetWebIdentityTokenInput{Audience: []string{"us"}, SigningAlgorithm: &alg})
		ok(t, err)
		token = *out.WebIdentityToken
		who, err := v.Verify(t.Context(), token, oidc.Provider{Issuer: issuer, Audiences: []string{"us"}, Keys: keys})
		if err != nil || who.Subject != "arn:aws:iam::000000000000:user/ann" || time.Until(*out.Expiration) > 5*time.Minute {
			t.Errorf("%s: %+v %v", alg, who, err)
		}
		said, _ := who.Claims["https://sts.amazonaws.com/"].(map[string]any)
		if said["aws_account"] != "000000000000" || said["source_region"] != "us-east-1" {
			t.Errorf("%v", who.Claims)
		}
	}
	return token
}

// [D] A role's token says who it is, others verify it with the issuer's documents, and it makes its bearer another role of an account
// that trusts the issuer. The issuer, and its keys, survive the server (MISSION row 77).
func TestWebIdentityGoesRound(t *testing.T) {
	dir := t.TempDir()
	s, stop := open(t, server.Config{Dev: true, DataDir: dir, IssuerURL: "https://id.example/ours/"})
	root := as(s, "root", "secret", "")
	ann := user(t, s, root, "ann", document(statement("Allow", "sts:GetWebIdentityToken", "*", `{"ForAllValues:StringEquals":{"sts:IdentityTokenAudience":"us"}}`)))
	ask := func(who somebody, alg string, audience ...string) (*sts.GetWebIdentityTokenOutput, error) {
		return who.sts.GetWebIdentityToken(t.Context(), &sts.GetWebIdentityTokenInput{Audience: audience, SigningAlgorithm: &alg})
	}
	_, err := ask(ann, "RS256", "us")
	refused(t, err, "OutboundWebIdentityFederationDisabledException", "not enabled")
	_, err = root.iam.GetOutboundWebIdentityFederationInfo(t.Context(), nil)
	refused(t, err, "FeatureDisabled", "")
	made, err := root.iam.EnableOutboundWebIdentityFederation(t.Context(), nil)
	ok(t, err)
	_, err = root.iam.EnableOutboundWebIdentityFederation(t.Context(), nil)
	refused(t, err, "FeatureEnabled", "")
	issuer := *made.IssuerIdentifier
	id, isOurs := strings.CutPrefix(issuer, "https://id.example/ours/oidc/")
	if !isOurs {
		t.Errorf("the issuer is %s", issuer)
	}

	var about oidc.Discovery
	var keys oidc.JWKS
	fetchJSON(t, s.URL()+"/oidc/"+id+oidc.DiscoveryPath, &about)
	fetchJSON(t, s.URL()+"/oidc/"+id+oidc.KeysPath, &keys)
	if about.Issuer != issuer || about.KeysURL != issuer+oidc.KeysPath || len(keys.Keys) != 2 || strings.Join(about.Algorithms, " ") != "ES384 RS256" {
		t.Errorf("%+v %+v", about, keys)
	}
	for _, k := range s.DB().Snapshot().Issuer(issuer).Keys {
		if _, err := oidc.ParseKey(k.ID, k.Algorithm, k.Sealed); err == nil {
			t.Errorf("the key %s lies open in its row", k.ID)
		}
	}
	_, err = ask(ann, "RS256", "them")
	refused(t, err, "AccessDenied", "sts:GetWebIdentityToken")
	token := tokensOf(t, ann, issuer, &keys)
	_, err = become(t, s, "arn:aws:iam::000000000000:role/web", token)
	refused(t, err, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for "+issuer)
	p, err := root.iam.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: &issuer, ClientIDList: []string{"us"}})
	ok(t, err)
	host := oidc.Host(issuer)
	web := webRole(t, root, "web", *p.OpenIDConnectProviderArn, `{"StringEquals":{"`+host+`:aud":"us"},"StringLike":{"`+host+`:sub":"*:user/ann"}}`)
	other := webRole(t, root, "other", *p.OpenIDConnectProviderArn, `{"StringEquals":{"`+host+`:sub":"somebody"}}`)
	out, err := become(t, s, web, token)
	ok(t, err)
	if *out.Provider != issuer || *out.Audience != "us" || *out.SubjectFromWebIdentityToken != "arn:aws:iam::000000000000:user/ann" {
		t.Errorf("%+v", out)
	}
	who, err := as(s, *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken).sts.GetCallerIdentity(t.Context(), nil)
	if err != nil || *who.Arn != "arn:aws:sts::000000000000:assumed-role/web/session" {
		t.Errorf("%v %v", who, err)
	}
	for _, role := range []string{other, "arn:aws:iam::000000000000:role/none"} {
		_, err = become(t, s, role, token)
		refused(t, err, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
	_, err = become(t, s, web, token, func(in *sts.AssumeRoleWithWebIdentityInput) { in.DurationSeconds = aws.Int32(7200) })
	refused(t, err, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	_, err = become(t, s, web, token[:len(token)-8])
	refused(t, err, "InvalidIdentityToken", "")

	// What GetCallerIdentity is asked with no credentials at all stays refused: only the one operation is unsigned.
	_, err = stranger(s).GetCallerIdentity(t.Context(), nil)
	refused(t, err, "MissingAuthenticationToken", "")

	stop()
	s, _ = open(t, server.Config{Dev: true, DataDir: dir}) // as another member, which calls itself otherwise
	root = as(s, "root", "secret", "")
	var later oidc.JWKS
	fetchJSON(t, s.URL()+"/oidc/"+id+oidc.KeysPath, &later)
	if later.Keys[0] != keys.Keys[0] || later.Keys[1] != keys.Keys[1] {
		t.Errorf("other keys after a restart: %+v", later)
	}
	_, err = become(t, s, web, token)
	ok(t, err)
	info, err := root.iam.GetOutboundWebIdentityFederationInfo(t.Context(), nil)
	if err != nil || *info.IssuerIdentifier != issuer || !info.JwtVendingEnabled {
		t.Errorf("%+v %v", info, err)
	}
	again, err := ask(root, "ES384", "us")
	ok(t, err)
	if iss, err := oidc.Issuer(*again.WebIdentityToken); err != nil || iss != issuer {
		t.Errorf("tokens are of %s now: %v", iss, err)
	}
	_, err = as(s, "root", "secret", "").iam.DisableOutboundWebIdentityFederation(t.Context(), nil)
	ok(t, err)
	_, err = ask(as(s, "root", "secret", ""), "RS256", "us")
	refused(t, err, "OutboundWebIdentityFederationDisabledException", "")
}

// [D] A provider of somebody else is asked for its keys; tags that it vouches for are the session's.
func TestWebIdentityOfAStranger(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	root := as(s, "root", "secret", "")
	key, err := oidc.NewKey("k", oidc.RS256)
	ok(t, err)
	public, err := key.JWK()
	ok(t, err)
	var theirs *httptest.Server
	theirs = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := oidc.JWKS{Keys: []oidc.JWK{public}}
		if r.URL.Path == oidc.KeysPath {
			_ = json.NewEncoder(w).Encode(set)
			return
		}
		_ = json.NewEncoder(w).Encode(oidc.Describe(theirs.URL, set))
	}))
	t.Cleanup(theirs.Close)
	sum := sha1.Sum(theirs.Certificate().Raw)
	p, err := root.iam.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{
		Url: &theirs.URL, ClientIDList: []string{"us"}, ThumbprintList: []string{hex.EncodeToString(sum[:])}})
	ok(t, err)
	host := oidc.Host(theirs.URL)
	role := webRole(t, root, "ci", *p.OpenIDConnectProviderArn, `{"StringEquals":{"`+host+`:aud":"us","aws:RequestTag/team":"red"}}`)
	token := func(team string, life time.Duration) string {
		text, err := key.Sign(map[string]any{"iss": theirs.URL, "sub": "repo:x", "aud": "us", "iat": time.Now().Unix(), "exp": time.Now().Add(life).Unix(),
			"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"team": []string{team}}, "transitive_tag_keys": []string{"team"}}})
		ok(t, err)
		return text
	}
	out, err := become(t, s, role, token("red", time.Minute))
	ok(t, err)
	_, err = root.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("ci"), PolicyName: aws.String("p"), PolicyDocument: aws.String(document(
		statement("Allow", "ecs:ListClusters", "*", `{"StringEquals":{"aws:PrincipalTag/team":"red"}}`)))})
	ok(t, err)
	_, err = as(s, *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken).ecs.ListClusters(t.Context(), nil)
	ok(t, err)
	_, err = become(t, s, role, token("blue", time.Minute))
	refused(t, err, "AccessDenied", "Not authorized")
	_, err = become(t, s, role, token("red", -time.Minute))
	refused(t, err, "ExpiredTokenException", "Token expired: current date/time ")
	made, err := root.iam.EnableOutboundWebIdentityFederation(t.Context(), nil)
	ok(t, err)
	_, err = root.iam.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: made.IssuerIdentifier}) // over http, for nothing is fetched
	ok(t, err)
	_, err = root.iam.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: aws.String("http://else.example")})
	refused(t, err, "ValidationError", "Invalid Open ID Connect Provider URL")
	narrow := func(in *sts.AssumeRoleWithWebIdentityInput) {
		in.PolicyArns = []ststypes.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/none")}}
	}
	_, err = become(t, s, role, token("red", time.Minute), narrow)
	refused(t, err, "ValidationError", "does not exist or is not attachable")
}
