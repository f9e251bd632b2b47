package secretsmanager

import (
	"context"
	"crypto/rand"
	"math/big"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// The sorts of characters of passwords [D].
const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits      = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

	defaultLength = 32
	maxLength     = 4096
)

// getRandomPassword draws a password, by default with a character of each sort that is not excluded.
func (a *api) getRandomPassword(_ context.Context, in *sdk.GetRandomPasswordInput) (*sdk.GetRandomPasswordOutput, error) {
	n := int64(defaultLength)
	if in.PasswordLength != nil {
		n = *in.PasswordLength
	}
	var sorts []string
	for _, s := range []struct {
		letters string
		left    bool
	}{
		{lowercase, deref(in.ExcludeLowercase)}, {uppercase, deref(in.ExcludeUppercase)}, {digits, deref(in.ExcludeNumbers)},
		{punctuation, deref(in.ExcludePunctuation)}, {" ", !deref(in.IncludeSpace)},
	} {
		rest := strings.Map(func(r rune) rune {
			if strings.ContainsRune(deref(in.ExcludeCharacters), r) {
				return -1
			}
			return r
		}, s.letters)
		if !s.left && rest != "" {
			sorts = append(sorts, rest)
		}
	}
	each := in.RequireEachIncludedType == nil || *in.RequireEachIncludedType
	switch {
	case n < 1 || n > maxLength:
		return nil, badParameter("The password length must be between 1 and %d.", maxLength) // [I]
	case len(sorts) == 0:
		return nil, badParameter("No characters are left to make a password of.") // [I]
	case each && n < int64(len(sorts)):
		return nil, badParameter("Password length %d is too short based on the required types.", n) // [O]
	}
	var out []byte
	if each {
		for _, s := range sorts {
			c, err := a.pick(len(s))
			if err != nil {
				return nil, err
			}
			out = append(out, s[c])
		}
	}
	all := strings.Join(sorts, "")
	for int64(len(out)) < n {
		c, err := a.pick(len(all))
		if err != nil {
			return nil, err
		}
		out = append(out, all[c])
	}
	for i := len(out) - 1; i > 0; i-- { // the required ones must not all be in front
		j, err := a.pick(i + 1)
		if err != nil {
			return nil, err
		}
		out[i], out[j] = out[j], out[i]
	}
	text := string(out)
	return &sdk.GetRandomPasswordOutput{RandomPassword: &text}, nil
}

// pick draws a number below n, each as likely as the others.
func (a *api) pick(n int) (int, error) {
	x, err := rand.Int(a.Random, big.NewInt(int64(n)))
	if err != nil {
		return 0, err
	}
	return int(x.Int64()), nil
}
