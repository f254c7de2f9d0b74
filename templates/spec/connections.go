package spec

import "fmt"

// DefaultConnections is the number of connections of ordinary roles in the default
// configuration of PostgreSQL: max_connections is 100, and superuser_reserved_connections is 3.
const DefaultConnections = 97

// connectionsKey is the path of the budget.
const connectionsKey = "components.postgres.connections"

// maxConnections is the maximum of max_connections in the source of PostgreSQL, MAX_BACKENDS.
const maxConnections = 262143

// maxPool is the maximum of POSTGRES_MAX_CONNS in the runtime.
const maxPool = 10000

// MigrationConnections are not part of the pools, so that `migrate` gets a connection while
// every pool is full. Migrations run one at a time, so one is enough.
const MigrationConnections = 1

// SurgePercent is the percentage of replicas that a rollout of the generated Deployment adds
// before it stops old ones; Kubernetes rounds it up.
const SurgePercent = 25

// SurgePercent is [SurgePercent], for templates.
func (Deploy) SurgePercent() int { return SurgePercent }

// Surge returns the number of instances that a rollout adds on Kubernetes.
func Surge(replicas, percent int) int { return replicas/100*percent + (replicas%100*percent+99)/100 }

// PoolSize returns the number of connections per instance so that all instances and one
// migration stay within the budget; 0 if there are too many instances.
func PoolSize(budget, instances int) int {
	return min((budget-MigrationConnections)/instances, maxPool)
}

// surge returns the number of instances that a rollout adds to the maximum replicas. On
// platforms other than Kubernetes a complete new revision runs in parallel.
func (d Deploy) surge() int {
	if d.RunsOn(PlatformCloudRun) || len(d.Terraform) > 0 {
		return d.Replicas.Max
	}
	return Surge(d.Replicas.Max, SurgePercent)
}

// PoolSize returns the number of connections in the pool of one instance, at least 1.
func (s Service) PoolSize() int {
	return max(1, PoolSize(s.Components.Postgres.Connections, s.Deploy.Replicas.Max+s.Deploy.surge()))
}

// PoolArithmetic explains [Service.PoolSize].
func (s Service) PoolArithmetic() string {
	replicas, surge := s.Deploy.Replicas.Max, s.Deploy.surge()
	return fmt.Sprintf("(%d - %d for a migration) / (%d replicas + %d during a rollout)",
		s.Components.Postgres.Connections, MigrationConnections, replicas, surge)
}

func (v *validator) connections() {
	p, most := v.s.Components.Postgres, v.s.Deploy.Replicas.Max
	if p == nil {
		return
	}
	if p.Connections < 1 || p.Connections > maxConnections {
		v.problemf(connectionsKey, "%d is not a number of connections; use 1 to %d", p.Connections, maxConnections)
		return
	}
	if most > maxConnections {
		v.problemf("deploy.replicas.max", "%d instances need more connections than PostgreSQL allows; use fewer than %d", most, maxConnections)
		return
	}
	surge := v.s.Deploy.surge()
	if most < 1 || PoolSize(p.Connections, most+surge) > 0 {
		return
	}
	path := connectionsKey
	if !v.doc.Has(path) {
		path = "deploy.replicas.max"
	}
	v.problemf(path, "%d connections are too few for %d instances (%d + %d during a rollout) and a migration; "+
		"write %d or more if the database allows it, or lower deploy.replicas.max",
		p.Connections, most+surge, most, surge, most+surge+MigrationConnections)
}
