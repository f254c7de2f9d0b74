// Package promql parses PromQL of files that users name.
//
// The parser of Prometheus takes time that grows with the square of the nesting
// and of the number of operators, so a query is measured before it is parsed.
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

// Bounds of a query. The longest of the public rules and dashboards that the
// project checks has 2,600 bytes.
const (
	maxLength  = 16 << 10 // bytes
	maxNesting = 100      // open brackets and signs in a row
)

// LimitError is a query that is too long or too deep to be parsed.
type LimitError string

func (e LimitError) Error() string { return string(e) }

// IsLimit reports whether an error is a [LimitError]: a server may read the query.
func IsLimit(err error) bool {
	_, is := errors.AsType[LimitError](err)
	return is
}

// Parse parses an expression, which may have functions and syntax that a server has with a flag
// only, or functions that only Prometheus 2 has. The error is a [LimitError] or that of the parser.
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

// IsUnquoted reports whether a query parses only on servers that take names with dots or letters
// beyond ASCII without quotes.
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

// mayBeUnquoted says whether a query has a character of such names and is short of the bounds,
// which the lexer for it does not measure.
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

// HoltWinters is what Prometheus 2 calls double_exponential_smoothing.
const HoltWinters = "holt_winters"

// functions are those of Prometheus 3, and what Prometheus 2 calls one of them.
var functions = sync.OnceValue(func() map[string]*parser.Function {
	all := maps.Clone(parser.Functions)
	renamed := *all["double_exponential_smoothing"]
	renamed.Name = HoltWinters
	all[HoltWinters] = &renamed
	return all
})

func bounded(query string) error {
	if len(query) > maxLength {
		return LimitError(fmt.Sprintf("query has %d bytes, which is too long to check; split it into recording rules of at most %d bytes", len(query), maxLength))
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
			return LimitError(fmt.Sprintf("query nests more than %d levels deep, which is too deep to check; split it into recording rules", maxNesting))
		}
	}
}
