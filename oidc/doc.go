// Package oidc is about tokens that say who somebody is, and that others believe without asking: JSON web tokens after OpenID
// Connect. It makes them and the documents that they are verified by, and verifies those of identity providers, whose keys it
// fetches and remembers.
//
// It must not know accounts or rows, nor what somebody may do whom a token names.
package oidc
