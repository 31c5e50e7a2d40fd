// Uses a server with the official Go client, and says in one line of JSON what it saw.
//
//	goclient URL VERSION
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// seen is what a client was told while its calls ran.
type seen struct {
	mu       sync.Mutex
	progress []float64
	logged   []string
	asked    []string
}

func (s *seen) note(write func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	write()
}

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url, version string) error {
	told, changed := &seen{}, make(chan struct{}, 1)
	client := mcp.NewClient(&mcp.Implementation{Name: "go", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			told.note(func() { told.progress = append(told.progress, r.Params.Progress) })
		},
		LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) {
			told.note(func() { told.logged = append(told.logged, string(r.Params.Level)) })
		},
		ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			told.note(func() { told.asked = append(told.asked, r.Params.Message) })
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{
				"username": "gopher", "email": "gopher@example.com",
			}}, nil
		},
	})
	transport := &mcp.StreamableClientTransport{Endpoint: url}
	session, err := client.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		return err
	}
	defer session.Close()
	used, err := use(ctx, session)
	if err != nil {
		return err
	}
	told.note(func() {
		used["progress"], used["logged"], used["asked"] = told.progress, told.logged, told.asked
	})
	if used["newTools"], err = afterChange(ctx, session, changed); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(used)
}

// afterChange has the server change its tools until the client is told so, and returns their names.
// The stream that tells it may not be open yet at the first change.
func afterChange(
	ctx context.Context, session *mcp.ClientSession, changed <-chan struct{},
) ([]string, error) {
	for {
		trigger := &mcp.CallToolParams{Name: "test_trigger_tool_change"}
		if _, err := session.CallTool(ctx, trigger); err != nil {
			return nil, err
		}
		select {
		case <-changed:
			return names(ctx, session)
		case <-time.After(time.Second):
		}
	}
}

// use calls every feature once and returns what came of it.
func use(ctx context.Context, session *mcp.ClientSession) (map[string]any, error) {
	tools, err := names(ctx, session)
	if err != nil {
		return nil, err
	}
	version := session.InitializeResult().ProtocolVersion
	meta := mcp.Meta{mcp.MetaKeyLogLevel: "debug"}
	if version < "2026-07-28" { // where a request says itself what it wants
		meta = nil
		if err := session.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: "debug"}); err != nil {
			return nil, err
		}
		watched := &mcp.SubscribeParams{URI: "test://watched-resource"}
		if err := session.Subscribe(ctx, watched); err != nil {
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
