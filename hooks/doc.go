// Package hooks performs the lifecycle hooks of deployments that are in progress: it calls their URLs, or runs their tasks, and
// writes down what they answered (SEMANTICS §9).
//
// It must not know when a hook begins or what follows from its end: that is decided by package deployment. Pauses, and hooks
// whose time is up, are none of its business.
//
// URLs are https:// without exception, not even for this machine: whoever may write services chooses them, and the control
// plane is close to things that trust their network. Who runs a certificate authority of his own names it in SSL_CERT_FILE.
// Redirections are not followed.
package hooks
