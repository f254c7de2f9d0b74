// Package runbooks holds the tests that type what runbooks tell their reader to
// type: amtool against an Alertmanager, kubectl against something that answers
// as a cluster does and notes what it is asked. Both are the real programs,
// which no other module should have to download.
package runbooks
