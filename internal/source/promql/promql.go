// Package promql parses untrusted PromQL. It limits the length and nesting of queries, since the time
// of Prometheus's parser is quadratic in both.
package promql

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql/parser"
)

// Limits of a query. The longest query of the public rules and dashboards that the project checks has
// 2,600 bytes.
const (
	maxLength  = 16 << 10 // bytes
	maxNesting = 100      // open brackets and consecutive signs
)

// LimitError is the error of a query that is too long or too deep to parse.
type LimitError string

func (e LimitError) Error() string { return string(e) }

// IsLimit reports whether an error is a [LimitError]. A server may accept the query.
func IsLimit(err error) bool {
	_, is := errors.AsType[LimitError](err)
	return is
}

// Parse parses an expression. It accepts functions and syntax that need a flag of the server, and
// functions of Prometheus 2. The error is a [LimitError] or the parser's.
func Parse(query string) (parser.Expr, error) {
	if err := bounded(query); err != nil {
		return nil, err
	}
	tree, err := parse(query, false)
	if err == nil || !mayBeUnquoted(query) {
		return tree, err
	}
	if unquoted, errUnquoted := parse(query, true); errUnquoted == nil {
		return unquoted, nil
	}
	return tree, err
}

// IsUnquoted reports whether a query parses only on servers that accept unquoted names with dots or
// non-ASCII letters.
func IsUnquoted(query string) bool {
	if !mayBeUnquoted(query) || bounded(query) != nil {
		return false
	}
	if _, err := parse(query, false); err == nil {
		return false
	}
	_, err := parse(query, true)
	return err == nil
}

// mayBeUnquoted reports whether a query has a character of such names and is within the limits, which
// their lexer does not count.
func mayBeUnquoted(query string) bool {
	isOfName := func(r rune) bool { return r == '.' || r >= utf8.RuneSelf }
	nesting := strings.Count(query, "(") + strings.Count(query, "+") + strings.Count(query, "-")
	return nesting <= maxNesting && strings.ContainsFunc(query, isOfName)
}

func parse(query string, unquoted bool) (parser.Expr, error) {
	return parser.NewParser(parser.Options{
		EnableExperimentalFunctions: true, EnableBinopFillModifiers: true, EnableUnquotedUTF8Names: unquoted, Functions: functions(),
	}).ParseExpr(query)
}

// HoltWinters is the name of double_exponential_smoothing in Prometheus 2.
const HoltWinters = "holt_winters"

// functions returns the functions of Prometheus 3 and HoltWinters.
var functions = sync.OnceValue(func() map[string]*parser.Function {
	all := maps.Clone(parser.Functions)
	renamed := *all["double_exponential_smoothing"]
	renamed.Name = HoltWinters
	all[HoltWinters] = &renamed
	return all
})

func bounded(query string) error {
	if len(query) > maxLength {
		return LimitError(fmt.Sprintf("the query has %d bytes and is too long to check; split it into recording rules of at most %d bytes", len(query), maxLength))
	}
	open, signs := 0, 0
	lexer := parser.Lex(query)
	for item := (parser.Item{}); ; {
		lexer.NextItem(&item)
		switch item.Typ {
		case parser.EOF, parser.ERROR:
			return nil
		case parser.COMMENT:
			continue
		case parser.LEFT_PAREN:
			open++
		case parser.RIGHT_PAREN:
			open--
		}
		if item.Typ == parser.ADD || item.Typ == parser.SUB {
			signs++
		} else {
			signs = 0
		}
		if open+signs > maxNesting {
			return LimitError(fmt.Sprintf("the query is nested deeper than %d levels and is too deep to check; split it into recording rules", maxNesting))
		}
	}
}
