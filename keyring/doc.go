// Package keyring uses the keys of KMS: for KMS itself, and for the services that encrypt with a key in the name of whoever calls them
// (Secrets Manager, Parameter Store), who is asked about as if he had called KMS.
//
// It must not know what it encrypts, where that is stored, nor who may use a key: it is given a function that says so.
package keyring
