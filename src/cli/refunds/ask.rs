//! What Sunmi is asked about a refund.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::words::{amount, value};
use crate::config::{Config, Upstream};
use crate::error::{BoxError, Chain};
use crate::ledger::{Ledger, PaymentThen, Row};
use crate::refund::Refunds;
use crate::refund::persons::PaymentSeen;
use crate::sunmi::Client;

/// What asks Sunmi, as a server of this configuration would.
///
/// # Errors
/// Why it cannot be asked.
pub(super) fn refunds(config: &Config, ledger: &Ledger) -> Result<Refunds, BoxError> {
    let Upstream::Environment { base_url, .. } = &config.upstream else {
        return Err("the built-in sandbox lives in its server alone".into());
    };
    if config.credentials.iter().next().is_none() {
        return Err("no credentials are set, and nothing can be signed".into());
    }
    let client = Client::new(&config.client(base_url.clone()), config.credentials.clone())?;
    Ok(Refunds::new(Arc::new(client), ledger.clone(), TaskTracker::new(), config.refund.clone()))
}

/// What the payment is now, or why it could not be asked for.
pub(super) type Asked = Result<PaymentSeen, String>;

/// Asks for the payment as it is now.
pub(super) async fn payment_now(config: &Config, ledger: &Ledger, row: &Row) -> Asked {
    let asked = async { refunds(config, ledger)?.payment_now(row).await };
    asked.await.map_err(|why| Chain(why.as_ref()).to_string())
}

/// What the payment's total is now, and how much it grew since before the send. That it could not
/// be asked for is said.
pub(super) fn told(row: &Row, asked: Asked) -> Vec<(&'static str, String)> {
    let now = match asked {
        Ok(now) => now,
        Err(why) => return vec![("payment now", format!("could not be asked: {why}"))],
    };
    match now {
        PaymentSeen::NotFound => vec![("payment now", "Sunmi does not find it".to_owned())],
        PaymentSeen::NotShown => vec![("payment now", "Sunmi does not show it".to_owned())],
        PaymentSeen::Found(now) => vec![
            (
                "payment now",
                format!(
                    "total {}, state {}, amount {}",
                    amount(now.total),
                    value(now.state),
                    amount(now.amount)
                ),
            ),
            ("since then", growth(row, now.total)),
        ],
    }
}

/// The same for machines.
pub(super) fn as_json(asked: &Asked) -> Value {
    match asked {
        Err(why) => json!({"error": why}),
        Ok(PaymentSeen::NotFound) => json!({"seen": "NOT_FOUND"}),
        Ok(PaymentSeen::NotShown) => json!({"seen": "NOT_SHOWN"}),
        Ok(PaymentSeen::Found(now)) => json!({
            "seen": "FOUND",
            "refunded_minor": now.total,
            "state": value(now.state),
            "amount_minor": now.amount,
        }),
    }
}

/// How much the total grew since the baseline.
fn growth(row: &Row, total: Option<i64>) -> String {
    let PaymentThen::Found(base) = &row.evidence.payment else {
        return "there is no baseline to compare the total with".to_owned();
    };
    let Some(total) = total else {
        return "Sunmi gives no total now".to_owned();
    };
    let grown = i128::from(total) - i128::from(base.total);
    let ours = row.amount.map(i128::from);
    if grown == 0 {
        "the total has not changed".to_owned()
    } else if grown < 0 {
        format!("the total shrank by {}: something was returned", -grown)
    } else if Some(grown) == ours {
        format!(
            "the total grew by exactly the amount of this refund, {grown}; another refund of the \
             same amount would look the same"
        )
    } else {
        format!("the total grew by {grown}, and this refund is of {}", amount(row.amount))
    }
}
