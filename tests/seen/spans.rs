//! Spans as tests want them: ids in hex, attributes as text, no times.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1 as otlp;

/// A span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: otlp::span::SpanKind,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// Empty where it has none.
    pub(crate) parent: String,
    pub(crate) state: String,
    /// By name.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) failed: bool,
}

impl Span {
    pub(crate) fn of(span: &otlp::Span) -> Self {
        let status = span.status.clone().unwrap_or_default();
        assert_eq!(status.message, "");
        assert!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:?}");
        Self {
            name: span.name.clone(),
            kind: span.kind(),
            trace_id: hex::encode(&span.trace_id),
            span_id: hex::encode(&span.span_id),
            parent: hex::encode(&span.parent_span_id),
            state: span.trace_state.clone(),
            attributes: attributes(&span.attributes),
            failed: status.code() == otlp::status::StatusCode::Error,
        }
    }

    /// This attribute, if it has it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Attributes by name, as text.
pub(crate) fn attributes(all: &[KeyValue]) -> Vec<(String, String)> {
    let text = |it: &KeyValue| {
        let value = it.value.as_ref().unwrap().value.as_ref().unwrap();
        if let Value::StringValue(text) = value {
            return text.clone();
        }
        let Value::IntValue(number) = value else { panic!("{}: {value:?}", it.key) };
        number.to_string()
    };
    let mut named: Vec<_> = all.iter().map(|it| (it.key.clone(), text(it))).collect();
    named.sort();
    named
}
