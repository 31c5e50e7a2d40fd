//! Runs one session with the official Rust client, and prints what it saw as JSON: a line for all
//! steps and, after it has read a line, another for the replaced server.
//!
//!     rustclient URL VERSION
// Logging and the handshake of 2025-11-25 are deprecated, but the gateway serves them.
#![allow(deprecated)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::*;
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};
use tokio::sync::Notify;

const WATCHED: &str = "test://watched-resource";

/// The notifications and requests that the client received during its calls.
#[derive(Clone, Default)]
struct Told {
    progress: Arc<Mutex<Vec<f64>>>,
    logged: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<Vec<String>>>,
    waiting: Arc<Notify>,
    changed: Arc<Notify>,
    updated: Arc<Notify>,
}

impl ClientHandler for Told {
    fn get_info(&self) -> ClientInfo {
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(ElicitationCapability::default());
        let tasks = (TASKS_EXTENSION_ID.to_string(), JsonObject::new());
        capabilities.extensions = Some([tasks].into());
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
        if told.message.as_deref() == Some("waiting") {
            self.waiting.notify_one();
        } else {
            self.progress.lock().unwrap().push(told.progress);
        }
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

    async fn on_resource_updated(
        &self,
        _: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.updated.notify_one();
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
    println!("{}", steps(&client, &told, modern).await?);
    std::io::stdin().read_line(&mut String::new())?;
    println!("{}", go_on(&client, &told, modern).await?);
    client.cancel().await?;
    Ok(())
}

/// Takes every step of a session once, and returns what it saw.
async fn steps(client: &Client, told: &Told, modern: bool) -> anyhow::Result<Value> {
    let mut seen = used(client, modern).await?;
    seen["progress"] = json!(*told.progress.lock().unwrap());
    seen["logged"] = json!(*told.logged.lock().unwrap());
    seen["asked"] = json!(*told.asked.lock().unwrap());
    if modern {
        seen["task"] = json!({
            "result": ended(client, &begun(client, "0.1").await?).await?["result"]["content"][0]["text"],
            "cancelled": given_up(client, &begun(client, "600").await?).await?["status"],
        });
    }
    seen["cancelled"] = json!(cancelled(client, told).await?);
    subscribe(client, told, modern).await?;
    change_until(client, "test_trigger_resource_change", &told.updated).await?;
    seen["updated"] = json!(WATCHED);
    change_until(client, "test_trigger_tool_change", &told.changed).await?;
    seen["newTools"] = json!(names(client).await?);
    Ok(seen)
}

/// Calls the replaced server in the same session, and waits for its notifications.
///
/// The client does not reopen the notification stream of 2026-07-28.
async fn go_on(client: &Client, told: &Told, modern: bool) -> anyhow::Result<Value> {
    let sum = call(client, "add_numbers", json!({"a": 1, "b": 2})).await?;
    if modern {
        subscribe(client, told, modern).await?;
    }
    tokio::select! {
        biased;
        _ = told.changed.notified() => {}, // from the old server
        _ = std::future::ready(()) => {},
    }
    change_until(client, "test_trigger_tool_change", &told.changed).await?;
    Ok(json!({"sum": sum.structured_content, "newTools": names(client).await?}))
}

/// Subscribes the client to changes of tools and of one resource.
async fn subscribe(client: &Client, told: &Told, modern: bool) -> anyhow::Result<()> {
    if !modern {
        client
            .subscribe(SubscribeRequestParams::new(WATCHED))
            .await?;
        return Ok(());
    }
    let filter = SubscriptionFilter::builder()
        .tools_list_changed()
        .resource_subscription(WATCHED)
        .build();
    let mut subscription = client.listen(filter).await?;
    let told = told.clone();
    tokio::spawn(async move {
        while let Ok(Some(notification)) = subscription.next().await {
            match notification {
                ServerNotification::ToolListChangedNotification(_) => told.changed.notify_one(),
                ServerNotification::ResourceUpdatedNotification(_) => told.updated.notify_one(),
                _ => {}
            }
        }
    });
    Ok(())
}

/// Has the server change something until the client is notified.
///
/// At the first change, the stream of notifications might not be open yet.
async fn change_until(client: &Client, trigger: &'static str, told: &Notify) -> anyhow::Result<()> {
    loop {
        call(client, trigger, json!({})).await?;
        let heard = tokio::time::timeout(Duration::from_millis(250), told.notified()).await;
        if heard.is_ok() {
            return Ok(());
        }
    }
}

/// Cancels a call, and returns what the server reports about it.
async fn cancelled(client: &Client, told: &Told) -> anyhow::Result<Value> {
    let request = CallToolRequest::new(CallToolRequestParams::new("test_wait"));
    let waiting = client
        .send_cancellable_request(request.into(), PeerRequestOptions::no_options())
        .await?;
    told.waiting.notified().await;
    waiting.cancel(Some("enough".into())).await?;
    let result = call(client, "test_cancelled", json!({})).await?;
    Ok(json!(result.content)[0]["text"].take())
}

/// Starts a task that takes some seconds, and returns its id.
async fn begun(client: &Client, seconds: &str) -> anyhow::Result<String> {
    let arguments = object(json!({"seconds": seconds, "label": "rust"}));
    let params = CallToolRequestParams::new("slow_compute").with_arguments(arguments);
    match client.call_tool_once(params).await? {
        CallToolResponse::Task(created) => Ok(created.task.task_id),
        other => anyhow::bail!("this is no task: {other:?}"),
    }
}

/// Cancels a task, and returns its final state.
async fn given_up(client: &Client, id: &str) -> anyhow::Result<Value> {
    client.cancel_task(CancelTaskParams::new(id)).await?;
    ended(client, id).await
}

/// Polls a task until it has ended, and returns it.
async fn ended(client: &Client, id: &str) -> anyhow::Result<Value> {
    loop {
        let found = client.get_task(GetTaskParams::new(id)).await?;
        if found.task.status().is_terminal() {
            return Ok(json!(found));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Calls every feature once, and returns the results.
async fn used(client: &Client, modern: bool) -> anyhow::Result<Value> {
    if !modern {
        client
            .set_level(SetLevelRequestParams::new(LoggingLevel::Debug))
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
