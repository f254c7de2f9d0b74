package rulesim

import (
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// plan is the order in which RunRange evaluates rules: each after all that it may
// read, in any file.
type plan struct {
	files []*rule // as they stand
	order []*rule
	at    map[*rule]int // place in the files
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

// metric is the one that a rule writes, or one of those of an alert.
func (r *rule) metric() string {
	if r.IsAlert {
		return alertsSeries
	}
	return r.Name
}

// candidates are the rules that a name does not rule out at once.
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

// visit puts a rule into the order, after what it reads. Rules that read each
// other in a cycle have no order and are unknown.
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

// canRunRange reports whether all that a rule reads is as in a run step by step. What
// it reads was evaluated before.
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

// left are the names of the rules that were left out, in the order of the files.
func (p *plan) left() []string {
	var out []string
	for _, r := range p.files {
		if r.in.unknown {
			out = append(out, r.Name)
		}
	}
	return out
}
