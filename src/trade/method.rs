//! The methods that this server serves.

use super::Operation;

/// A method of one of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Look up a scan payment or a refund.
    Query,
    /// Refund a payment.
    Refund,
    /// Look up a card trade.
    SwipeQuery,
    /// What is recorded of one refund.
    GetRefund,
    /// Refunds that fit a filter.
    ListRefunds,
    /// Changes of refunds, as they come.
    WatchRefunds,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Query,
        Self::Refund,
        Self::SwipeQuery,
        Self::GetRefund,
        Self::ListRefunds,
        Self::WatchRefunds,
    ];

    /// The services whose methods they are, as they are named on the wire.
    pub const SERVICES: [&str; 2] =
        ["sunmi.trade.v1.TradeService", "sunmi.trade.v1.RefundLedgerService"];

    /// The name of the RPC.
    pub fn name(self) -> &'static str {
        self.full_name().rsplit('/').next().unwrap_or_default()
    }

    /// The service, as it is named on the wire.
    pub fn service(self) -> &'static str {
        self.full_name().split('/').next().unwrap_or_default()
    }

    /// The full name of the method, as traces and logs call it.
    pub fn full_name(self) -> &'static str {
        match self {
            Self::Query => "sunmi.trade.v1.TradeService/Query",
            Self::Refund => "sunmi.trade.v1.TradeService/Refund",
            Self::SwipeQuery => "sunmi.trade.v1.TradeService/SwipeQuery",
            Self::GetRefund => "sunmi.trade.v1.RefundLedgerService/GetRefund",
            Self::ListRefunds => "sunmi.trade.v1.RefundLedgerService/ListRefunds",
            Self::WatchRefunds => "sunmi.trade.v1.RefundLedgerService/WatchRefunds",
        }
    }

    /// The method that has this path, such as `/sunmi.trade.v1.TradeService/Query`.
    pub fn of_path(path: &str) -> Option<Self> {
        let name = path.strip_prefix('/')?;
        Self::ALL.into_iter().find(|method| method.full_name() == name)
    }

    /// Whether its answer is a stream, which lasts.
    pub fn is_stream(self) -> bool {
        match self {
            Self::WatchRefunds => true,
            Self::Query | Self::Refund | Self::SwipeQuery | Self::GetRefund | Self::ListRefunds => {
                false
            }
        }
    }
}

impl From<Operation> for Method {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Query => Self::Query,
            Operation::Refund => Self::Refund,
            Operation::SwipeQuery => Self::SwipeQuery,
        }
    }
}
