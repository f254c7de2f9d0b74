// Package health provides the startup, readiness and liveness probes of a service.
//
// Checks run in the background. A probe only reads their last results, so probes are cheap, and a
// hanging dependency cannot block them.
//
// A dependency that all replicas share is required only for the start. If it fails later,
// removing all replicas from the load balancer would turn slow or partial responses into none,
// and hide the outage from the metrics that alerts use. Such a check degrades the service:
// /readyz still responds with 200 and shows the error, and runtime_health_check_up is 0. A
// [Critical] check, for a resource of one replica such as its disk or lease, makes the replica
// unready. An [Optional] check, for another service, is not required for the start.
//
// Liveness does not depend on checks: restarting a service does not repair its database.
package health
