// Package registry stores container images and serves them to docker, containerd and their like under /v2/ (the OCI
// distribution protocol). It is CNCF Distribution used as a library, behind our own door: who may enter (tokens and
// access keys), which repositories exist, whose they are, and which tags are final.
//
// Each account and Region has a storage tree of its own, so that nothing of one account can be reached by another.
// What images there are, their tags, sizes and dates are read from that tree and kept nowhere else.
//
// Several servers keep the same images (Replicas): each change is on a majority of them before it is acknowledged.
//
// It must not know where repository rows and access keys live (they are looked up through functions handed in), nor
// ECR's API, whose handlers call the methods of Repository. Refusals are *model.Error with ECR's codes and texts.
package registry
