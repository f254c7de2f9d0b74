package slo

import "cmp"

// Command is a shell command of a runbook. In it, N is a number, and other words in capitals
// are names, which the reader chooses.
type Command struct{ Purpose, Line string }

// RunbookOptions describes how a service is deployed. The zero value means a Kubernetes
// deployment with the name of the service, in the namespace of the current context.
type RunbookOptions struct {
	Environment string // of the commands; "production" when empty
	Generated   bool   // scaffold.yaml has the resources and bounds of the service
	// Dependencies reports whether the service has a dashboard of its dependencies.
	Dependencies bool

	// Of Kubernetes:
	Namespace  string // of the environment; empty means that of the current context
	Rollback   string // command in the repository that rolls back to revision N and waits; optional
	Autoscaler string // kind with the bounds of the replicas: scaledobject, or hpa when empty
	AdminPort  string // of probes and metrics; 9464 when empty
	// Kubectl are more commands on pods, whose lines follow kubectl and its namespace.
	Kubectl []Command

	// Commands replace those of kubectl, unless nil: to roll back and to change the number of
	// instances. Without any, steps name no commands.
	Commands []Command
	// Context is the command that prints the cluster or project of Commands; optional.
	Context string

	// Slot returns what components add to a text, by the name of the slot in runbook.md.tmpl; nil adds nothing.
	Slot func(name string) (string, error)

	kubernetes bool // Commands are those of kubectl
}

// kubectl returns the commands for a Deployment.
func (r Rules) kubectl(o RunbookOptions) []Command {
	kubectl := "kubectl "
	if o.Namespace != "" {
		kubectl += "-n " + o.Namespace + " "
	}
	deployment := "deployment/" + r.Spec.Service
	out := []Command{
		{"list pods", kubectl + "get pods -l app.kubernetes.io/name=" + r.Spec.Service},
		{"see why a pod does not start or was killed", kubectl + "describe pod POD"},
		{"read the log before the last crash", kubectl + "logs POD --previous --tail=200"},
	}
	for _, c := range o.Kubectl {
		out = append(out, Command{c.Purpose, kubectl + c.Line})
	}
	if r.Spec.Runtime {
		port := cmp.Or(o.AdminPort, "9464")
		out = append(out,
			Command{"reach `/readyz` and `/metrics` of a pod on 127.0.0.1:" + port, kubectl + "port-forward POD " + port})
	}
	out = append(out,
		Command{"replace a pod", kubectl + "delete pod POD"},
		Command{"restart all pods", kubectl + "rollout restart " + deployment},
		Command{"list revisions, the newest last, even if it does not run; add `--revision=N` to see the image of N", kubectl + "rollout history " + deployment},
		Command{"roll back to revision N", kubectl + "rollout undo " + deployment + " --to-revision=N"})
	if o.Rollback != "" {
		out = append(out, Command{"the same in a clone of the repository; waits until the pods are ready", o.Rollback})
	}
	// After a restart or a rollback, the previous revision may be the one with the problem.
	out = append(out, Command{"roll back to the previous revision; after a restart or a rollback that may be the bad one", kubectl + "rollout undo " + deployment})
	if !r.autoscaled() {
		return append(out, Command{"start N instances", kubectl + "scale " + deployment + " --replicas=N"})
	}
	// The autoscaler would undo a change of the replicas within seconds.
	autoscaler, lower, upper := cmp.Or(o.Autoscaler, "hpa"), "minReplicas", "maxReplicas"
	if autoscaler == "scaledobject" {
		lower, upper = "minReplicaCount", "maxReplicaCount"
	}
	patch := func(bound string) string {
		return kubectl + "patch " + autoscaler + "/" + r.Spec.Service + ` --type merge --patch '{"spec":{"` + bound + `":N}}'`
	}
	return append(out,
		Command{"start at least N instances, up to the maximum of the autoscaler", patch(lower)},
		Command{"raise the maximum of the autoscaler to N", patch(upper)})
}

// autoscaled reports whether the number of instances has different bounds.
func (r Rules) autoscaled() bool { return r.Spec.Replicas.Max > r.Spec.Replicas.Min }
