// Package health answers the three questions that an orchestrator asks of a
// process: has it started, should it get requests, must it be restarted.
//
// Checks run in the background; a probe only reads what they found last, so a
// flood of probes costs nothing and a hanging dependency never hangs a probe.
//
// A dependency that all replicas share gates the start only. When it fails
// later, taking every replica out of the load balancer would turn slow or
// partial answers into none, and hide the outage from the metrics that page. So
// a check that fails degrades: /readyz stays 200 and says so, and
// runtime_health_check_up falls to 0. A [Critical] check, for what one replica
// alone may lose (its disk, its lease), takes the replica out.
//
// Liveness never touches a dependency: restarting a service does not mend its
// database.
package health
