// Package expiry is what ECR's lifecycle policies mean: it reads them, and says which images of a repository go, by which rule,
// and why the others stay. It is pure.
//
// It must not know where images are stored, nor who deletes them.
package expiry
