// Package runbooks tests the commands of generated runbooks with the real amtool, kubectl and
// Alertmanager. The cluster of kubectl is an HTTP server that records the requests.
//
// It is a separate module so that no other module downloads these programs.
package runbooks
