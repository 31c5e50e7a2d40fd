//! Uses a server with the official Rust client, and says in one line of JSON what it saw.
//!
//!     rustclient URL VERSION
// Logging and the handshake of 2025-11-25 are deprecated, and served.
#![allow(deprecated)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What the client was told while its calls ran.
#[derive(Clone, Default)]
struct Told {
    progress: Arc<Mutex<Vec<f64>>>,
    logged: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<Vec<String>>>,
    changed: Arc<Notify>,
}

impl ClientHandler for Told {
    fn get_info(&self) -> ClientInfo {
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(ElicitationCapability::default());
        ClientInfo::new(capabilities, Implementation::new("rust", "1"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        if let ElicitRequestParams::FormElicitationParams { message, .. } = request {
            self.asked.lock().unwrap().push(message);
        }
        let answer = json!({"username": "ferris", "email": "ferris@example.com"});
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(answer))
    }

    async fn on_progress(
        &self,
        told: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.progress.lock().unwrap().push(told.progress);
    }

    async fn on_logging_message(
        &self,
        told: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.logged.lock().unwrap().push(json!(told.level));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}

type Client = RunningService<RoleClient, Told>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let (url, version) = (arguments[1].clone(), arguments[2].as_str());
    let modern = version == "2026-07-28";
    let lifecycle = if modern {
        ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        }
    } else {
        ClientLifecycleMode::Initialize
    };
    let told = Told::default();
    let transport = StreamableHttpClientTransport::from_uri(url);
    let client = told
        .clone()
        .serve_with_lifecycle(transport, lifecycle)
        .await?;
    let mut seen = used(&client, modern).await?;
    seen["progress"] = json!(*told.progress.lock().unwrap());
    seen["logged"] = json!(*told.logged.lock().unwrap());
    seen["asked"] = json!(*told.asked.lock().unwrap());
    if !modern {
        seen["newTools"] = json!(after_change(&client, &told).await?);
    }
    println!("{seen}");
    client.cancel().await?;
    Ok(())
}

/// Calls every feature once, and returns what came of it.
async fn used(client: &Client, modern: bool) -> anyhow::Result<Value> {
    if !modern {
        client
            .set_level(SetLevelRequestParams::new(LoggingLevel::Debug))
            .await?;
        client
            .subscribe(SubscribeRequestParams::new("test://watched-resource"))
            .await?;
    }
    let sum = call(client, "add_numbers", json!({"a": 1, "b": 2})).await?;
    let regions = call(client, "list_regions", json!({})).await?;
    let wrong = call(client, "add_numbers", json!({"a": "x"})).await?;
    let elicited = call(
        client,
        "test_elicitation",
        json!({"message": "Who are you?"}),
    )
    .await?;
    call(client, "test_tool_with_logging", json!({})).await?;
    call(client, "test_tool_with_progress", json!({})).await?;
    let asked = object(json!({"arg1": "x", "arg2": "y"}));
    let prompt = GetPromptRequestParams::new("test_prompt_with_arguments").with_arguments(asked);
    let prompt = client.get_prompt(prompt).await?;
    let resource = ReadResourceRequestParams::new("test://template/7/data");
    let resource = client.read_resource(resource).await?;
    Ok(json!({
        "tools": names(client).await?,
        "sum": sum.structured_content,
        "regions": regions.structured_content,
        "wrong": wrong.is_error,
        "elicited": json!(elicited.content)[0]["text"],
        "prompt": json!(prompt)["messages"][0]["content"]["text"],
        "resource": json!(resource)["contents"][0]["text"],
    }))
}

async fn call(
    client: &Client,
    name: &'static str,
    arguments: Value,
) -> anyhow::Result<CallToolResult> {
    let params = CallToolRequestParams::new(name).with_arguments(object(arguments));
    Ok(client.call_tool(params).await?)
}

async fn names(client: &Client) -> anyhow::Result<Vec<String>> {
    Ok(client
        .list_all_tools()
        .await?
        .into_iter()
        .map(|tool| tool.name.to_string())
        .collect())
}

/// Has the server change its tools until the client is told so, and returns their names.
///
/// The stream that tells it may not be open yet at the first change.
async fn after_change(client: &Client, told: &Told) -> anyhow::Result<Vec<String>> {
    loop {
        call(client, "test_trigger_tool_change", json!({})).await?;
        if tokio::time::timeout(Duration::from_secs(1), told.changed.notified())
            .await
            .is_ok()
        {
            return names(client).await;
        }
    }
}
