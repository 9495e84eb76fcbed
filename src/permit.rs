//! The right to send a refund. Only the ledger's claim makes one, and sending consumes it,
//! so that no refund can be sent that is not claimed.

use crate::deadline::Deadline;

/// The right to send one refund, of one claim, until the claim's ceiling.
#[derive(Debug)]
pub struct Permit {
    epoch: i64,
    send_until: Deadline,
}

impl Permit {
    /// Made by the ledger's claim alone.
    pub(crate) fn of_claim(epoch: i64, send_until: Deadline) -> Self {
        Self { epoch, send_until }
    }

    /// Which claim of the refund's number this is of, from 1.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// After this the owner of the claim sends nothing.
    pub fn send_until(&self) -> Deadline {
        self.send_until
    }
}
