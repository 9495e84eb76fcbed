//! TLS of the port: `[tls]`.

use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use super::source::Reader;
use super::{ms, s};
use crate::tls::{CERTIFICATE, CLIENT_CA, Clients, Files, KEY};

const CLIENT_CERTIFICATE: &str = "tls.client_certificate";

/// What the port does about TLS.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// With what; without files there is no TLS.
    pub files: Option<Files>,
    /// How long the handshake of a connection may take.
    pub handshake_timeout: Duration,
}

pub(super) fn read(reader: &mut Reader) -> TlsSettings {
    let handshake_timeout = reader.duration("tls.handshake_timeout", ms(10)..=s(60), s(5));
    TlsSettings { files: files(reader), handshake_timeout }
}

/// The files, if they can be used as they are.
fn files(reader: &mut Reader) -> Option<Files> {
    let given = [CERTIFICATE, KEY, CLIENT_CA, CLIENT_CERTIFICATE].map(|key| reader.has(key));
    let [has_certificate, has_key, has_ca, has_choice] = given;
    reader.check(has_certificate || !has_key, CERTIFICATE, "is required with tls.key_file");
    reader.check(has_key || !has_certificate, KEY, "is required with tls.certificate_file");
    let rule = "only goes with tls.certificate_file";
    reader.check(has_certificate || !has_ca, CLIENT_CA, rule);
    // Else somebody would ask for certificates and not get them.
    let rule = "only goes with tls.client_ca_file";
    reader.check(has_ca || !has_choice, CLIENT_CERTIFICATE, rule);

    let [certificate, key, ca] =
        [CERTIFICATE, KEY, CLIENT_CA].map(|key| reader.text(key).map(PathBuf::from));
    let required = required(reader, has_ca);
    let clients = ca.map(|ca| Clients { ca, required });
    let files = Files { certificate: certificate?, key: key?, clients };
    match files.load() {
        Ok(_) => Some(files),
        Err(fault) => {
            reader.fault(fault.setting, fault.rule);
            None
        }
    }
}

/// Whether callers must show a certificate; they must where nothing else is said.
fn required(reader: &mut Reader, asked: bool) -> bool {
    let parse = |value: &Value| match value.as_str()? {
        "required" => Some(true),
        "optional" => Some(false),
        _ => None,
    };
    let required =
        reader.take(CLIENT_CERTIFICATE, "must be required or optional", parse).unwrap_or(true);
    if asked {
        reader.in_force(&if required { "required" } else { "optional" });
    }
    required
}
