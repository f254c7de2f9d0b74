// Package runbooks runs the commands of runbooks: amtool on an Alertmanager, and kubectl on a
// server that responds like a cluster and records the requests. Both are the real programs,
// which no other module should have to download.
package runbooks
