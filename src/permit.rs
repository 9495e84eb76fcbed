//! The right to send a refund. Only the ledger's claim makes one, and sending consumes it,
//! so that no refund can be sent that is not claimed, and none twice under one claim.

use crate::clock::BootTime;

/// The right to send one refund, of one claim, once, until the claim's ceiling.
#[derive(Debug)]
pub struct Permit {
    epoch: i64,
    send_until: BootTime,
}

impl Permit {
    /// Made by the ledger's claim alone.
    pub(crate) fn of_claim(epoch: i64, send_until: BootTime) -> Self {
        Self { epoch, send_until }
    }

    /// Which claim of the refund's number this is of, from 1.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// After this the owner of the claim sends nothing, even if the machine slept meanwhile.
    pub fn send_until(&self) -> BootTime {
        self.send_until
    }
}
