// promql reads expressions in PromQL, one JSON string a line, and prints for each, one JSON object a line,
// which series it looks at and which labels it speaks of. By Prometheus' own parser; used by the tests.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

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
	Labels []string `json:"labels"`
}

func look(text string) (Looked, error) {
	looked := Looked{Selectors: []Selector{}, Labels: []string{}}
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
			looked.Labels = append(looked.Labels, node.Grouping...)
		case *parser.BinaryExpr:
			if node.VectorMatching != nil {
				looked.Labels = append(looked.Labels, node.VectorMatching.MatchingLabels...)
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
