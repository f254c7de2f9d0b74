package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/push"
	"github.com/observability-first/scaffold/internal/push/mimir"
)

type rulePushOptions struct {
	delivery  deliveryOptions
	mimir     string
	tenant    string
	user      string
	prefix    string
	namespace string
	prune     bool
	paths     []string // files and directories
}

func newSLOPushCommand(g *globals) *cobra.Command {
	var o rulePushOptions
	cmd := &cobra.Command{
		Use:   "push --mimir URL [FILE|DIR ...]",
		Short: "Write rules to the ruler of Grafana Mimir",
		Long: "Write the groups of rule files to the ruler of Grafana Mimir. For a directory, all\n" +
			".rules.yaml files below it are pushed. Without arguments, observability/rules of the\n" +
			"service in the current directory is pushed. alertmanager.yaml is not pushed: it is a\n" +
			"part of a configuration that all services share.\n\n" +
			"The namespace is the one set in the file, or else the file name without .yaml, as in\n" +
			"mimirtool. Only changed groups are written. Groups that exist in Mimir but in no file\n" +
			"are listed. --prune DELETES every group of these namespaces that is in no pushed file,\n" +
			"including those of other services. Use --dry-run first.\n\n" +
			"The token comes from " + mimir.TokenVariable + " or --token-file. It is a bearer token, or the\n" +
			"password of --user.",
		Example: "  " + mimir.TokenVariable + "=... scaffold slo push --mimir https://mimir.acme.test --tenant shop",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.mimir == "" {
				return usage(cmd, "--mimir is missing; set it to an address such as https://mimir.acme.test")
			}
			o.paths = args
			return misused(cmd, runSLOPush(cmd.Context(), g, o))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.mimir, "mimir", "", "URL of Mimir")
	flags.StringVar(&o.tenant, "tenant", "", "tenant ID, or SCAFFOLD_MIMIR_TENANT (default: no tenant)")
	flags.StringVar(&o.user, "user", "", "user of basic authentication, or SCAFFOLD_MIMIR_USER (default: the token is a bearer token)")
	flags.StringVar(&o.prefix, "prefix", mimir.DefaultPrefix, "path of Mimir's Prometheus API below the URL, or SCAFFOLD_MIMIR_PREFIX")
	flags.StringVar(&o.namespace, "namespace", "", "namespace of all files, or SCAFFOLD_MIMIR_NAMESPACE (default: one for each file)")
	flags.BoolVar(&o.prune, "prune", false, "delete groups of these namespaces that are in no pushed file")
	for _, flag := range []string{"tenant", "user", "prefix", "namespace"} {
		standIn(flags, flag, "SCAFFOLD_MIMIR_"+strings.ToUpper(flag))
	}
	o.delivery.register(flags, mimir.TokenVariable)
	return cmd
}

// pushedRules is the JSON document of scaffold slo push. Its keys are public.
type pushedRules struct {
	Mimir  string        `json:"mimir"`
	Tenant string        `json:"tenant,omitempty"`
	DryRun bool          `json:"dryRun"`
	Groups []pushedGroup `json:"groups"`
}

type pushedGroup struct {
	File      string      `json:"file,omitempty"` // empty for a group that is in no file
	Namespace string      `json:"namespace"`
	Group     string      `json:"group"`
	Rules     int         `json:"rules"`
	Action    groupAction `json:"action"`
	Written   writtenness `json:"written"`

	group mimir.Group
}

// groupAction is the planned change of a group.
type groupAction string

const (
	groupCreated   groupAction = "created"
	groupUpdated   groupAction = "updated"
	groupUnchanged groupAction = "unchanged"
	groupRemoved   groupAction = "removed"
	groupGone      groupAction = "gone" // in no file, not deleted
)

// writtenness is the state of a group after the push.
type writtenness string

const (
	writtenNo    writtenness = "no"
	writtenYes   writtenness = "yes"
	writtenMaybe writtenness = "unknown" // the response was lost
)

func (p pushedGroup) pending() bool {
	return p.Action != groupUnchanged && p.Action != groupGone
}

func (p pushedGroup) color() color {
	switch p.Action {
	case groupCreated:
		return green
	case groupRemoved:
		return red
	}
	return yellow
}

func runSLOPush(ctx context.Context, g *globals, o rulePushOptions) error {
	groups, err := readRuleGroups(o.paths, o.namespace)
	if err != nil {
		return err
	}
	transport, err := g.transport(o.mimir, mimir.TokenVariable, o.delivery)
	if err != nil {
		return err
	}
	transport.User = o.user
	client, err := mimir.New(mimir.Options{Options: transport, Tenant: o.tenant, Prefix: o.prefix})
	if err != nil {
		return err
	}
	doc := pushedRules{Mimir: o.mimir, Tenant: o.tenant, DryRun: o.delivery.dryRun, Groups: groups}
	if err := doc.plan(ctx, client, o.prune); err != nil {
		return err
	}
	if !o.delivery.dryRun {
		if err := doc.write(ctx, client); err != nil {
			return err
		}
	}
	if !g.emit(doc) {
		g.printRulePush(doc)
	}
	return nil
}

// plan compares each namespace with Mimir. Writing starts after all of them are read.
func (d *pushedRules) plan(ctx context.Context, client *mimir.Client, prune bool) error {
	existing := map[string]map[string]mimir.Group{}
	var gone []pushedGroup
	for i, p := range d.Groups {
		there, known := existing[p.Namespace]
		if !known {
			groups, err := client.Groups(ctx, p.Namespace)
			if err != nil {
				return &StoppedPushError{Err: err}
			}
			there = byName(groups)
			existing[p.Namespace] = there
			gone = append(gone, d.leftover(p.Namespace, groups, prune)...)
		}
		old, found := there[p.Group]
		d.Groups[i].Action = groupDifference(p.group, old, found)
	}
	d.Groups = append(d.Groups, gone...)
	return nil
}

func byName(groups []mimir.Group) map[string]mimir.Group {
	all := map[string]mimir.Group{}
	for _, g := range groups {
		all[g.Name] = g
	}
	return all
}

func groupDifference(wanted, old mimir.Group, found bool) groupAction {
	switch {
	case !found:
		return groupCreated
	case wanted.Equal(old):
		return groupUnchanged
	}
	return groupUpdated
}

// leftover lists the groups of a namespace that are in no file.
func (d *pushedRules) leftover(namespace string, groups []mimir.Group, prune bool) []pushedGroup {
	wanted := map[string]bool{}
	for _, p := range d.Groups {
		wanted[p.Group] = wanted[p.Group] || p.Namespace == namespace
	}
	action := groupGone
	if prune {
		action = groupRemoved
	}
	var gone []pushedGroup
	for _, g := range groups {
		if !wanted[g.Name] {
			gone = append(gone, pushedGroup{Namespace: namespace, Group: g.Name, Rules: g.Rules, Action: action, Written: writtenNo})
		}
	}
	return gone
}

// write changes the groups that differ, in order, and stops at the first error.
func (d *pushedRules) write(ctx context.Context, client *mimir.Client) error {
	for i, p := range d.Groups {
		if !p.pending() {
			continue
		}
		err := d.writeOne(ctx, client, i)
		if err == nil {
			d.Groups[i].Written = writtenYes
			continue
		}
		if !push.Rejected(err) {
			d.Groups[i].Written = writtenMaybe
		}
		return &StoppedPushError{Err: err, groups: d.Groups}
	}
	return nil
}

func (d *pushedRules) writeOne(ctx context.Context, client *mimir.Client, i int) error {
	p := d.Groups[i]
	if p.Action == groupRemoved {
		return client.Remove(ctx, p.Namespace, p.Group)
	}
	return client.Write(ctx, p.group, d.need(i))
}

// need returns the tenant limits that the push from a group on requires.
func (d *pushedRules) need(from int) mimir.Need {
	var need mimir.Need
	for i, p := range d.Groups {
		if p.Action == groupCreated || p.Action == groupUpdated {
			need.Rules = max(need.Rules, p.Rules)
		}
		if p.Action == groupCreated && i >= from {
			need.Groups++
		}
	}
	return need
}

// StoppedPushError is an incomplete push. It lists the state of each group.
type StoppedPushError struct {
	Err    error
	groups []pushedGroup // empty if nothing was written
}

func (e *StoppedPushError) Unwrap() error { return e.Err }

func (e *StoppedPushError) Error() string {
	if len(e.groups) == 0 {
		return e.Err.Error() + "\nNothing was written."
	}
	names := map[writtenness][]string{}
	for _, p := range e.groups {
		if p.pending() {
			names[p.Written] = append(names[p.Written], p.Group)
		}
	}
	text := e.Err.Error() + "\nWritten: " + orNone(names[writtenYes]) + ".\nNot written: " + orNone(names[writtenNo]) + "."
	if maybe := names[writtenMaybe]; len(maybe) > 0 {
		text += "\nPerhaps written: " + orNone(maybe) + ". Push again; what is there already stays."
	}
	return text
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (g *globals) printRulePush(d pushedRules) {
	for _, p := range d.Groups {
		where := p.File
		switch p.Action {
		case groupGone:
			where = "no file has it; --prune removes it"
		case groupRemoved:
			where = "no file has it"
		}
		g.printf("%s %s of %s  %s\n", g.paint(p.color(), fmt.Sprintf("%-9s", p.Action)), p.Group, p.Namespace, where)
	}
	if d.DryRun {
		g.printf("Nothing was written.\n")
	}
}
