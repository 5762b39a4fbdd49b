// argohealth VALUES-FILE tells what Argo CD makes of objects, by its own code: it takes the health
// checks from the values that its chart would be given, reads JSON objects from standard input, one
// after another, and prints a JSON object {"status", "message"} a line for each.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// prefix begins the keys of argocd-cm with health checks; GROUP_KIND ends them.
const prefix = "resource.customizations.health."

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "argohealth:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("say the file with the values")
	}
	checks, err := read(args[0])
	if err != nil {
		return err
	}
	return tell(checks, os.Stdin, os.Stdout)
}

// read gives the health checks by GROUP/KIND, as Argo CD has them.
func read(file string) (lua.ResourceHealthOverrides, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var values struct {
		Configs struct {
			CM map[string]string `json:"cm"`
		} `json:"configs"`
	}
	if err := yaml.Unmarshal(content, &values); err != nil {
		return nil, err
	}
	checks := lua.ResourceHealthOverrides{}
	for key, script := range values.Configs.CM {
		groupKind, found := strings.CutPrefix(key, prefix)
		group, kind, split := strings.Cut(groupKind, "_")
		if !found || !split {
			return nil, fmt.Errorf("%s is not the key of a health check", key)
		}
		checks[group+"/"+kind] = v1alpha1.ResourceOverride{HealthLua: script}
	}
	return checks, nil
}

func tell(checks lua.ResourceHealthOverrides, in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	for {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return err
		}
		found, err := health.GetResourceHealth(object, checks)
		if err != nil {
			return err
		}
		if found == nil {
			return fmt.Errorf("there is no health check of %s", object.GroupVersionKind())
		}
		if err := json.NewEncoder(out).Encode(map[string]string{
			"status":  string(found.Status),
			"message": found.Message,
		}); err != nil {
			return err
		}
	}
}
