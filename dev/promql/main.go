// promql reads expressions in PromQL, one JSON string a line, and prints for each, one JSON object a line,
// which series it looks at and which labels it speaks of. By Prometheus' own parser; used by the tests.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Matcher is a label that must have a value for a series to be looked at.
type Matcher struct {
	Label string `json:"label"`
	// One of =, !=, =~, !~.
	Op    string `json:"op"`
	Value string `json:"value"`
}

// Selector is what an expression looks at.
type Selector struct {
	Series   string    `json:"series"`
	Matchers []Matcher `json:"matchers"`
}

// Looked is what was found in an expression.
type Looked struct {
	Selectors []Selector `json:"selectors"`
	// Labels by which it groups or joins.
	Labels []Need `json:"labels"`
}

// Need is a label that each of these series must have.
type Need struct {
	Label  string   `json:"label"`
	Series []string `json:"series"`
}

// carriers are the series from which the result of an expression would have a label.
func carriers(expr parser.Expr, label string) []string {
	switch expr := expr.(type) {
	case *parser.VectorSelector:
		return []string{expr.Name}
	case *parser.MatrixSelector:
		return carriers(expr.VectorSelector, label)
	case *parser.SubqueryExpr:
		return carriers(expr.Expr, label)
	case *parser.StepInvariantExpr:
		return carriers(expr.Expr, label)
	case *parser.ParenExpr:
		return carriers(expr.Expr, label)
	case *parser.UnaryExpr:
		return carriers(expr.Expr, label)
	case *parser.AggregateExpr:
		if slices.Contains(expr.Grouping, label) == expr.Without {
			return []string{"(summed up over " + label + ")"}
		}
		return carriers(expr.Expr, label)
	case *parser.Call:
		var found []string
		for _, argument := range expr.Args {
			found = append(found, carriers(argument, label)...)
		}
		return found
	case *parser.BinaryExpr:
		left, right := carriers(expr.LHS, label), carriers(expr.RHS, label)
		if expr.Op == parser.LOR || len(left) == 0 {
			return append(left, right...)
		}
		if expr.VectorMatching != nil && expr.VectorMatching.Card == parser.CardOneToMany {
			return right
		}
		return left
	}
	return nil
}

func look(text string) (Looked, error) {
	looked := Looked{Selectors: []Selector{}, Labels: []Need{}}
	need := func(names []string, of ...parser.Expr) {
		for _, name := range names {
			for _, expr := range of {
				looked.Labels = append(looked.Labels, Need{name, append([]string{}, carriers(expr, name)...)})
			}
		}
	}
	expr, err := parser.ParseExpr(text)
	if err != nil {
		return looked, err
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			selector := Selector{Series: node.Name, Matchers: []Matcher{}}
			for _, m := range node.LabelMatchers {
				if m.Name != labels.MetricName {
					selector.Matchers = append(selector.Matchers, Matcher{m.Name, m.Type.String(), m.Value})
				}
			}
			looked.Selectors = append(looked.Selectors, selector)
		case *parser.AggregateExpr:
			need(node.Grouping, node.Expr)
		case *parser.BinaryExpr:
			if node.VectorMatching != nil {
				// Both sides are joined by them.
				need(node.VectorMatching.MatchingLabels, node.LHS, node.RHS)
			}
		}
		return nil
	})
	return looked, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var text string
		err := json.Unmarshal(lines.Bytes(), &text)
		var looked Looked
		if err == nil {
			looked, err = look(text)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "promql: %s: %v\n", lines.Text(), err)
			os.Exit(1)
		}
		line, err := json.Marshal(looked)
		if err != nil {
			fmt.Fprintf(os.Stderr, "promql: %v\n", err)
			os.Exit(1)
		}
		fmt.Println(string(line))
	}
}
