// Runs one session with the official Go client, and prints what it saw as JSON: a line for all steps
// and, after it has read a line, another for the replaced server.
//
//	goclient URL VERSION
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	modern  = "2026-07-28"
	watched = "test://watched-resource"
)

// told contains the notifications and requests that a client received during its calls.
type told struct {
	mu       sync.Mutex
	progress []float64
	logged   []string
	asked    []string

	waiting, changed, updated signal
}

// signal reports an event without blocking the sender.
type signal chan struct{}

func (s signal) send() {
	select {
	case s <- struct{}{}:
	default:
	}
}

func (t *told) note(write func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	write()
}

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url, version string) error {
	heard := &told{waiting: make(signal, 1), changed: make(signal, 1), updated: make(signal, 1)}
	session, err := connect(ctx, url, version, heard)
	if err != nil {
		return err
	}
	defer session.Close()
	said := json.NewEncoder(os.Stdout)
	saw, err := steps(ctx, session, heard)
	if err != nil {
		return err
	}
	if err := said.Encode(saw); err != nil {
		return err
	}
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	saw, err = goOn(ctx, session, heard, url, version)
	if err != nil {
		return fmt.Errorf("after the server was replaced: %w", err)
	}
	return said.Encode(saw)
}

func connect(ctx context.Context, url, version string, heard *told) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "go", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {
			heard.changed.send()
		},
		ResourceUpdatedHandler: func(context.Context, *mcp.ResourceUpdatedNotificationRequest) {
			heard.updated.send()
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			if r.Params.Message == "waiting" {
				heard.waiting.send()
				return
			}
			heard.note(func() { heard.progress = append(heard.progress, r.Params.Progress) })
		},
		LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) {
			heard.note(func() { heard.logged = append(heard.logged, string(r.Params.Level)) })
		},
		ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			heard.note(func() { heard.asked = append(heard.asked, r.Params.Message) })
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{
				"username": "gopher", "email": "gopher@example.com",
			}}, nil
		},
	})
	transport := &mcp.StreamableClientTransport{Endpoint: url}
	return client.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
}

// steps takes every step of a session once, and returns what it saw.
func steps(ctx context.Context, session *mcp.ClientSession, heard *told) (map[string]any, error) {
	saw, err := use(ctx, session)
	if err != nil {
		return nil, err
	}
	heard.note(func() {
		saw["progress"], saw["logged"], saw["asked"] = heard.progress, heard.logged, heard.asked
	})
	if saw["cancelled"], err = cancelled(ctx, session, heard); err != nil {
		return nil, fmt.Errorf("cancel: %w", err)
	}
	if err := session.Subscribe(ctx, &mcp.SubscribeParams{URI: watched}); err != nil {
		return nil, err
	}
	if err := changeUntil(ctx, session, "test_trigger_resource_change", heard.updated); err != nil {
		return nil, err
	}
	saw["updated"] = watched
	if err := changeUntil(ctx, session, "test_trigger_tool_change", heard.changed); err != nil {
		return nil, err
	}
	saw["newTools"], err = names(ctx, session)
	return saw, err
}

// goOn calls the replaced server in the same session, and waits for its notifications.
//
// The client does not reopen the notification stream of 2026-07-28, so that needs a new session.
func goOn(
	ctx context.Context, session *mcp.ClientSession, heard *told, url, version string,
) (map[string]any, error) {
	// The old server has closed these connections, which Go might not have noticed yet.
	http.DefaultClient.CloseIdleConnections()
	sum, err := session.CallTool(ctx, addition)
	if err != nil {
		return nil, err
	}
	if version == modern {
		if session, err = connect(ctx, url, version, heard); err != nil {
			return nil, err
		}
		defer session.Close()
	}
	select {
	case <-heard.changed: // from the old server
	default:
	}
	if err := changeUntil(ctx, session, "test_trigger_tool_change", heard.changed); err != nil {
		return nil, err
	}
	found, err := names(ctx, session)
	return map[string]any{"sum": sum.StructuredContent, "newTools": found}, err
}

// changeUntil has the server change something until the client is notified.
//
// At the first change, the stream of notifications might not be open yet.
func changeUntil(ctx context.Context, session *mcp.ClientSession, trigger string, told signal) error {
	for {
		if _, err := session.CallTool(ctx, &mcp.CallToolParams{Name: trigger}); err != nil {
			return err
		}
		select {
		case <-told:
			return nil
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// cancelled cancels a call, and returns what the server reports about it.
func cancelled(ctx context.Context, session *mcp.ClientSession, heard *told) (string, error) {
	calling, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		wait := &mcp.CallToolParams{Name: "test_wait", Arguments: map[string]any{}}
		wait.SetProgressToken("wait")
		_, err := session.CallTool(calling, wait)
		ended <- err
	}()
	select {
	case <-heard.waiting:
	case err := <-ended:
		return "", fmt.Errorf("the call ended before it was cancelled: %w", err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return "", fmt.Errorf("the call ended otherwise: %w", err)
	}
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "test_cancelled"})
	if err != nil {
		return "", err
	}
	return result.Content[0].(*mcp.TextContent).Text, nil
}

var addition = &mcp.CallToolParams{
	Name: "add_numbers", Arguments: map[string]any{"a": 1, "b": 2},
}

// use calls every feature once and returns the results.
func use(ctx context.Context, session *mcp.ClientSession) (map[string]any, error) {
	tools, err := names(ctx, session)
	if err != nil {
		return nil, err
	}
	version := session.InitializeResult().ProtocolVersion
	meta := mcp.Meta{mcp.MetaKeyLogLevel: "debug"}
	if version != modern { // in 2026-07-28 each request sets its log level
		meta = nil
		if err := session.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: "debug"}); err != nil {
			return nil, err
		}
	}
	results := map[string]*mcp.CallToolResult{}
	for name, arguments := range map[string]map[string]any{
		"add_numbers":            {"a": 1, "b": 2},
		"list_regions":           {},
		"test_tool_with_logging": {},
		"test_elicitation":       {"message": "Who are you?"},
	} {
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Meta: meta, Name: name, Arguments: arguments})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		results[name] = result
	}
	slow := &mcp.CallToolParams{Name: "test_tool_with_progress", Arguments: map[string]any{}}
	slow.SetProgressToken("slow")
	if _, err := session.CallTool(ctx, slow); err != nil {
		return nil, err
	}
	wrong, err := session.CallTool(ctx, &mcp.CallToolParams{
		Name: "add_numbers", Arguments: map[string]any{"a": "x"},
	})
	if err != nil {
		return nil, err
	}
	prompt, err := session.GetPrompt(ctx, &mcp.GetPromptParams{
		Name: "test_prompt_with_arguments", Arguments: map[string]string{"arg1": "x", "arg2": "y"},
	})
	if err != nil {
		return nil, err
	}
	resource, err := session.ReadResource(ctx, &mcp.ReadResourceParams{URI: "test://template/7/data"})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"version":  version,
		"tools":    tools,
		"sum":      results["add_numbers"].StructuredContent,
		"regions":  results["list_regions"].StructuredContent,
		"elicited": results["test_elicitation"].Content[0].(*mcp.TextContent).Text,
		"wrong":    wrong.IsError,
		"prompt":   prompt.Messages[0].Content.(*mcp.TextContent).Text,
		"resource": resource.Contents[0].Text,
	}, nil
}

func names(ctx context.Context, session *mcp.ClientSession) ([]string, error) {
	found := []string{}
	for tool, err := range session.Tools(ctx, nil) {
		if err != nil {
			return nil, err
		}
		found = append(found, tool.Name)
	}
	return found, nil
}
