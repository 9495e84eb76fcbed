//! The sandbox, over HTTP.

use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tonic::codegen::{Bytes, http};

use crate::check;

/// What stands in for Sunmi.
#[derive(Debug)]
pub(crate) struct Sandbox {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Sandbox {
    /// The one with this URL.
    pub(crate) fn at(base: String) -> Self {
        Self { base, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Tells it something, such as a fault.
    pub(crate) async fn tell(&self, path: &str, body: &Value) -> check::Result {
        let body = body.to_string();
        let answer = self.ask("POST", path, body.clone()).await;
        answer.map(drop).map_err(|error| format!("POST {path} {body}: {error}"))
    }

    /// How often a refund with this number was executed.
    pub(crate) async fn executions(&self, number: &str) -> Result<usize, String> {
        let books = self.ask("GET", "/sandbox/books", String::new()).await;
        let books = books.map_err(|error| format!("GET /sandbox/books: {error}"))?;
        let books: Value = serde_json::from_slice(&books).map_err(|error| error.to_string())?;
        let executions = books["executions"].as_array().ok_or("the books lack executions")?;
        Ok(executions.iter().filter(|it| it["order_id"] == number).count())
    }

    async fn ask(&self, method: &str, path: &str, body: String) -> Result<Bytes, String> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .body(Full::from(body))
            .map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
        let body = body.to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        Err(format!("{status}: {}", String::from_utf8_lossy(&body)))
    }
}
