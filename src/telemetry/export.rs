//! Sends spans to a collector, in batches, from a thread of its own. A collector that is
//! slow or gone costs spans, never time: the queue is bounded, and what does not fit is
//! dropped.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

use super::{Traces, spans};
use crate::error::BoxError;

/// How long a batch may take to be sent.
const BATCH_WAIT: Duration = Duration::from_secs(5);

/// How long the end of the process waits for the last batch.
pub(super) const LAST_WAIT: Duration = Duration::from_secs(2);

/// Starts sending.
pub(super) fn start(traces: &Traces) -> Result<SdkTracerProvider, BoxError> {
    let mut exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(traces.endpoint.as_str())
        .with_timeout(BATCH_WAIT);
    if traces.endpoint.scheme() == "https" {
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    let exporter = exporter.build().map_err(|error| format!("tracing.endpoint: {error}"))?;
    let resource = Resource::builder()
        .with_service_name(traces.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let ratio = Sampler::TraceIdRatioBased(traces.sample_ratio);
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(ratio)))
        .with_resource(resource)
        .build();
    spans::start(provider.tracer("sunmi-trade"));
    Ok(provider)
}
