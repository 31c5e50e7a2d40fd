// Command gitops judges objects with the code of Argo CD and Flux. From its standard input it reads
// a JSON list of objects in Git and on the API server; it prints a JSON list of answers in that order.
// Its one argument is the kubeconfig of the API server.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Question is one object, as it is in Git and as it is in the cluster.
type Question struct {
	Config map[string]any `json:"config"`
	Live   map[string]any `json:"live"`
	// Health is a health check for Argo CD in Lua; empty to run none.
	Health string `json:"health"`
}

// Answer is the judgment of the tools about an object.
type Answer struct {
	// Differing contains the paths that keep it OutOfSync, for each of Argo CD's ways to compare.
	Differing map[string][]string `json:"differing"`
	// Status and Message are those of kstatus, with which Flux and Helm wait.
	Status  string `json:"status"`
	Message string `json:"message"`
	// Health is the result of the health check.
	Health *Health `json:"health"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: gitops KUBECONFIG <QUESTIONS")
	}
	var questions []Question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return err
	}
	comparison, stop, err := newComparison(os.Args[1])
	if err != nil {
		return err
	}
	defer stop()
	answers := make([]Answer, len(questions))
	for index, question := range questions {
		if answers[index], err = answer(comparison, question); err != nil {
			return fmt.Errorf("object %d: %w", index, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func answer(comparison *comparison, question Question) (answer Answer, err error) {
	live, err := decoded(question.Live)
	if err != nil {
		return answer, err
	}
	if question.Config != nil {
		config, err := decoded(question.Config)
		if err != nil {
			return answer, err
		}
		if answer.Differing, err = comparison.differing(config, live); err != nil {
			return answer, err
		}
	}
	if question.Health != "" {
		if answer.Health, err = health(question.Health, live); err != nil {
			return answer, err
		}
	}
	answer.Status, answer.Message, err = computed(live)
	return answer, err
}

// decoded decodes an object as the tools do: whole numbers become int64, not float64.
func decoded(content map[string]any) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	return object, object.UnmarshalJSON(text)
}
