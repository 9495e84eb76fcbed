//! The calls to Sunmi as they are noted, and the names in them.

use std::sync::Arc;
use std::time::Duration;

use sunmi_trade::ledger::Row;
use sunmi_trade::sandbox::book::{Endpoint, Execution, Form, Order};
use sunmi_trade::sunmi::{Credential, KeyRing};
use sunmi_trade::trade::Identifier;

use crate::fate::Fate;

/// A refund call, as it left.
#[derive(Clone, Debug)]
pub struct Sent {
    pub app_id: String,
    pub number: String,
    pub amount: i64,
    /// The payment's `order_id`, by whichever name it was asked for.
    pub payment: String,
    pub at: Duration,
    /// Which call of a caller claimed it, as far as the ledger tells.
    pub by: Option<String>,
    /// The other refunds of the payment whose outcome was open then.
    pub beside: Vec<String>,
    /// What it moved: which of the executions. More than one if something repeated it.
    pub executions: Vec<usize>,
}

/// What a run left in the books.
#[derive(Debug)]
pub struct Books {
    pub executions: Vec<Execution>,
    pub orders: Vec<Order>,
    pub sent: Vec<Sent>,
    pub used_before: Vec<String>,
}

/// A call in the network.
pub struct Call {
    pub endpoint: Endpoint,
    pub form: Form,
    pub fate: Fate,
    /// Which of the refund calls it is, if it is one.
    pub sent: Option<usize>,
    /// When it was handed over.
    pub handed: Duration,
}

/// Who signs as `app_id`, with these keys, one a line.
pub fn credential(app_id: usize, keys: &[u8]) -> Credential {
    let app_id = Identifier::parse(format!("A{app_id}")).unwrap();
    Credential { app_id, keys: Arc::new(KeyRing::parse(keys).unwrap()), file: None }
}

/// The `order_id` of the payment that is asked for by this name.
pub fn payment_named(name: &str) -> &str {
    name.split('-').next().unwrap()
}

/// The number that a call is about.
pub fn named(form: &Form) -> String {
    let number = ["orderId", "misId", "platformId"].iter().find_map(|name| form.get(*name));
    number.cloned().unwrap_or_default()
}

/// The name of the payment that a call is about.
pub fn original(form: &Form) -> String {
    let names = ["oriMisId", "oriOrderId", "oriPlatformId"];
    names.iter().find_map(|name| form.get(*name).cloned()).unwrap_or_else(|| named(form))
}

/// Whether it can be known that these are of one payment: by a name that both were asked by, or
/// because looks found it.
pub fn is_known_as_one(one: &Row, other: &Row) -> bool {
    let found = |row: &Row| row.evidence.names.platform_id.is_some();
    let alike = one.key.app_id == other.key.app_id && one.original == other.original;
    alike || (found(one) && found(other))
}
