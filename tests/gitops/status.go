package main

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Health is the result of a health check of Argo CD.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// computed returns the status of an object by kstatus.
func computed(live *unstructured.Unstructured) (string, string, error) {
	result, err := status.Compute(live)
	if err != nil {
		return "", "", err
	}
	return result.Status.String(), result.Message, nil
}

// health runs a health check as Argo CD does (util/lua of argo-cd): in the interpreter that it
// uses, with the object in the global obj, and no libraries but two of those that it opens.
func health(script string, live *unstructured.Unstructured) (*Health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		call := lua.P{Fn: state.NewFunction(open), Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	state.SetGlobal("obj", value(state, live.Object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("the health check returned no table")
	}
	return &Health{text(table, "status"), text(table, "message")}, nil
}

func text(table *lua.LTable, name string) string {
	return lua.LVAsString(table.RawGetString(name))
}

// value converts a JSON value to a Lua value.
func value(state *lua.LState, content any) lua.LValue {
	switch content := content.(type) {
	case bool:
		return lua.LBool(content)
	case int64:
		return lua.LNumber(content)
	case float64:
		return lua.LNumber(content)
	case string:
		return lua.LString(content)
	case []any:
		table := state.CreateTable(len(content), 0)
		for _, item := range content {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(content))
		for name, item := range content {
			table.RawSetString(name, value(state, item))
		}
		return table
	}
	return lua.LNil
}
