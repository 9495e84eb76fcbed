//! What is told of a process while it runs: `[log]` and `[tracing]`.

use toml::Value;

use super::source::Reader;
use crate::telemetry::{Format, Log, Policy, Settings, Traces, is_filter};

pub(super) fn read(reader: &mut Reader) -> Settings {
    let filter = Log::default().filter;
    let formats = [("human", Format::Human), ("json", Format::Json)];
    let policies = [("full", Policy::Full), ("masked", Policy::Masked), ("none", Policy::None)];
    let log = Log {
        format: reader.choice("log.format", &formats, formats[0]),
        filter: reader.set(
            "log.filter",
            "must be directives, such as info or warn,sunmi_trade=info",
            (filter, |filter: &String| Value::from(filter.as_str())),
            |value| value.as_str().filter(|text| is_filter(text)).map(str::to_owned),
        ),
        identifiers: reader.choice("log.identifiers", &policies, policies[0]),
    };
    let endpoint = reader.url("tracing.endpoint");
    let sample_ratio = reader.ratio("tracing.sample_ratio", 1.0);
    let service_name = reader.set(
        "tracing.service_name",
        "must be a text that is not empty",
        ("sunmi-trade".to_owned(), |name: &String| Value::from(name.as_str())),
        |value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned),
    );
    let traces = endpoint.map(|endpoint| Traces { endpoint, sample_ratio, service_name });
    Settings { log, traces }
}
