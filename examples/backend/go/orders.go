// A backend that answers in MCP's own terms; needs nothing but Go's standard library.
//
//	go run . 8080
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

const resultType = "application/vnd.mcp.result+json"

var orders = []string{"o-1", "o-2", "o-3"}

type object map[string]any

// text returns the content of a result that is one text.
func text(told string) []object {
	return []object{{"type": "text", "text": told}}
}

// export tells how far it is, then gives the result.
func export(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(name string, data object) {
		encoded, _ := json.Marshal(data)
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, encoded)
		_ = http.NewResponseController(w).Flush()
	}
	for done, order := range orders {
		event("progress", object{"progress": done, "total": len(orders), "message": order})
		event("log", object{"level": "info", "logger": "export", "data": "reading " + order})
		select {
		case <-r.Context().Done(): // the client has cancelled the call
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	event("result", object{
		"content": []object{
			{"type": "text", "text": fmt.Sprintf("%d orders are exported.", len(orders))},
			{"type": "resource_link", "uri": "orders://export.csv", "name": "export.csv"},
		},
		"structuredContent": object{"exported": len(orders)},
	})
}

// answers are what the client answered to the requests of a result that required input.
type answers map[string]struct {
	Action  string
	Content map[string]any
}

// cancel asks first. The state says what was asked; it comes back as it was given.
func cancel(w http.ResponseWriter, r *http.Request) {
	var arguments struct{ ID string }
	if err := json.NewDecoder(r.Body).Decode(&arguments); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var capabilities object
	_ = json.Unmarshal([]byte(r.Header.Get("Mcp-Client-Capabilities")), &capabilities)
	if _, can := capabilities["elicitation"]; !can {
		result(w, object{"content": text("Your client cannot ask you to confirm this."), "isError": true})
		return
	}
	var given answers
	_ = json.Unmarshal([]byte(r.Header.Get("Mcp-Input-Responses")), &given)
	answer, answered := given["sure"]
	state := "cancel " + arguments.ID
	if r.Header.Get("Mcp-Request-State") != state || !answered {
		ask := object{
			"message": fmt.Sprintf("Cancel order %s?", arguments.ID),
			"requestedSchema": object{
				"type":       "object",
				"properties": object{"sure": object{"type": "boolean"}},
			},
		}
		result(w, object{
			"resultType":    "input_required",
			"inputRequests": object{"sure": object{"method": "elicitation/create", "params": ask}},
			"requestState":  state,
		})
		return
	}
	if answer.Action == "accept" && answer.Content["sure"] == true {
		result(w, object{"content": text(fmt.Sprintf("Order %s is cancelled.", arguments.ID))})
		return
	}
	result(w, object{"content": text("Nothing was cancelled.")})
}

func result(w http.ResponseWriter, body object) {
	w.Header().Set("Content-Type", resultType)
	_ = json.NewEncoder(w).Encode(body)
}

func main() {
	listener, err := net.Listen("tcp", ":"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on port %d\n", listener.Addr().(*net.TCPAddr).Port)
	http.HandleFunc("POST /export", export)
	http.HandleFunc("POST /cancel", cancel)
	log.Fatal(http.Serve(listener, nil))
}
