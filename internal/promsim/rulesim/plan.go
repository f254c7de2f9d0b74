package rulesim

import (
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// plan is the order in which RunRange evaluates rules: each after all rules that it may read, across files.
type plan struct {
	files []*rule // in file order
	order []*rule
	at    map[*rule]int // position in file order
	done  map[*rule]bool
	reads map[*rule][]*rule
}

func planOf(files []*rule) plan {
	p := plan{files: files, at: map[*rule]int{}, done: map[*rule]bool{}, reads: map[*rule][]*rule{}}
	index := map[string][]*rule{}
	for i, r := range files {
		p.at[r], r.in, r.wrote = i, inputsOf(r.Expr), map[uint64]labels.Labels{}
		index[r.metric()] = append(index[r.metric()], r)
	}
	for _, r := range files {
		for _, candidate := range candidates(r.in, index, files) {
			if candidate != r && r.in.readsRule(candidate) {
				p.reads[r] = append(p.reads[r], candidate)
			}
		}
	}
	var path []*rule
	for _, r := range files {
		p.visit(r, path)
	}
	return p
}

// metric returns the name of the metric that a rule writes, or of those of an alert.
func (r *rule) metric() string {
	if r.IsAlert {
		return alertsSeries
	}
	return r.Name
}

// candidates returns the rules that may match, judged by name.
func candidates(in inputs, index map[string][]*rule, all []*rule) []*rule {
	var out []*rule
	for _, s := range in.selectors {
		i := slices.IndexFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
			return m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && m.Value != forStateSeries
		})
		if i < 0 {
			return all
		}
		for _, r := range index[s.LabelMatchers[i].Value] {
			if !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// visit adds a rule to the order, after the rules that it reads. Rules in a cycle have no order and are
// marked unknown.
func (p *plan) visit(r *rule, path []*rule) {
	if i := slices.Index(path, r); i >= 0 {
		for _, member := range path[i:] {
			member.in.unknown = true
		}
		return
	}
	if p.done[r] {
		return
	}
	for _, read := range p.reads[r] {
		p.visit(read, append(path, r))
	}
	p.done[r] = true
	p.order = append(p.order, r)
}

// canRunRange reports whether all inputs of a rule are the same as in step-by-step evaluation. The rules that
// it reads come before it.
func (p *plan) canRunRange(r *rule) bool {
	if r.in.future || r.in.unknown {
		return false
	}
	for _, read := range p.reads[r] {
		if read.in.unknown {
			return false
		}
		early := p.at[read] > p.at[r] || r.in.aheadOf(r)(read)
		if early && r.in.matchesAny(read.wrote) {
			return false
		}
	}
	return true
}

// left returns the names of the rules that were left out, in file order.
func (p *plan) left() []string {
	var out []string
	for _, r := range p.files {
		if r.in.unknown {
			out = append(out, r.Name)
		}
	}
	return out
}
