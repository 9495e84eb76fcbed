//! What the page shows of the server itself: its certificates, and the files that it reads again.

use std::time::UNIX_EPOCH;

use jiff::Timestamp;

use crate::clock;
use crate::reload::{Counts, Kind};
use crate::tls::{Role, SOON, Tls, Validity};
use crate::words::{plain, span};

/// The longest name of a certificate that is shown, in characters.
const NAME: usize = 100;

/// A certificate, and how long it is valid.
pub(super) struct Certificate {
    pub(super) role: &'static str,
    pub(super) subject: String,
    pub(super) until: String,
    /// What is wrong with it now, or soon will be.
    pub(super) trouble: Option<String>,
}

/// The certificates in force.
pub(super) fn certificates(tls: &Tls) -> Vec<Certificate> {
    let now = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    tls.validities().iter().map(|validity| certificate(validity, now)).collect()
}

fn certificate(validity: &Validity, now: i64) -> Certificate {
    let Validity { role, subject, not_before, not_after } = validity;
    let role = match role {
        Role::Server => "server certificate",
        Role::Issuer => "issuer of the server certificate",
        Role::ClientAuthority => "client CA",
    };
    let left = not_after.saturating_sub(now);
    let trouble = if now < *not_before {
        Some(format!("is not valid before {}", second(*not_before)))
    } else if left < 0 {
        Some(format!("has expired, {} ago", far(left)))
    } else if left < SOON {
        Some(format!("expires in {}", far(left)))
    } else {
        None
    };
    let until = match left {
        0.. => format!("{}, in {}", second(*not_after), far(left)),
        _ => second(*not_after),
    };
    let subject: String = plain(subject).chars().take(NAME).collect();
    Certificate { role, subject, until, trouble }
}

/// A time in seconds since 1970.
pub(super) fn second(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

fn far(seconds: i64) -> String {
    span(seconds.saturating_abs().saturating_mul(1000))
}

/// What was read again from files: each kind, and whether what the files hold now is not in
/// force.
pub(super) fn files(reloads: &Counts) -> Vec<(&'static str, bool)> {
    Kind::ALL.into_iter().map(|kind| (kind.name(), reloads.stale(kind))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    #[test]
    fn a_certificate_is_told_of_before_it_is_valid_before_it_expires_and_after() {
        let of = |now: i64| {
            let validity = Validity {
                role: Role::Server,
                subject: "CN=\u{202e}x".to_owned(),
                not_before: 0,
                not_after: 100 * DAY,
            };
            certificate(&validity, now)
        };
        let fine = of(10 * DAY);
        assert_eq!((fine.trouble, fine.until.as_str()), (None, "1970-04-11T00:00:00Z, in 90 d"));
        assert_eq!(fine.subject, r"CN=\u{202e}x");
        assert_eq!(of(-1).trouble.unwrap(), "is not valid before 1970-01-01T00:00:00Z");
        assert_eq!(of(87 * DAY).trouble.unwrap(), "expires in 13 d");
        let late = of(101 * DAY);
        assert_eq!(late.trouble.unwrap(), "has expired, 1 d ago");
        assert_eq!(late.until, "1970-04-11T00:00:00Z");
    }
}
