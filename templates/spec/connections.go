package spec

import "fmt"

// DefaultConnections is what PostgreSQL grants to ordinary roles unless it is
// configured otherwise: max_connections is 100, and
// superuser_reserved_connections keeps 3 of them back.
const DefaultConnections = 97

// connectionsKey is the path of the budget.
const connectionsKey = "components.postgres.connections"

// maxConnections is the most that PostgreSQL can be configured for: the largest
// max_connections of its source, MAX_BACKENDS.
const maxConnections = 262143

// maxPool is the most that the runtime takes as POSTGRES_MAX_CONNS.
const maxPool = 10000

// MigrationConnections are left out of the pools, so that `migrate` gets a
// connection while every pool is full. Migrations take turns: one is enough.
const MigrationConnections = 1

// SurgePercent is the share of the replicas that a rollout of the generated
// Deployment adds before it stops old ones; Kubernetes rounds it up.
const SurgePercent = 25

// SurgePercent is [SurgePercent], for templates.
func (Deploy) SurgePercent() int { return SurgePercent }

// Surge is how many instances of so many replicas a rollout adds on Kubernetes.
func Surge(replicas, percent int) int { return replicas/100*percent + (replicas%100*percent+99)/100 }

// PoolSize is how many connections each instance may hold so that all of them
// and one migration stay within the budget; 0 when there are too many.
func PoolSize(budget, instances int) int {
	return min((budget-MigrationConnections)/instances, maxPool)
}

// surge is how many instances a rollout adds to the most replicas. Elsewhere
// than on Kubernetes a whole new revision starts beside the old one.
func (d Deploy) surge() int {
	if d.RunsOn(PlatformCloudRun) || len(d.Terraform) > 0 {
		return d.Replicas.Max
	}
	return Surge(d.Replicas.Max, SurgePercent)
}

// PoolSize is the number of connections of one instance's pool, at least 1.
func (s Service) PoolSize() int {
	return max(1, PoolSize(s.Components.Postgres.Connections, s.Deploy.Replicas.Max+s.Deploy.surge()))
}

// PoolArithmetic says how [Service.PoolSize] comes about.
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
		v.problemf("deploy.replicas.max", "%d instances are more than PostgreSQL can have connections for; use less than %d", most, maxConnections)
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
