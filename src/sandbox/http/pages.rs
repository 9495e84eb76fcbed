//! What can be done beside the calls, by method and path.

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Books,
    AddFaults,
    ForgetFaults,
    Set,
    EnterOrder,
    ChangeOrder,
    EnterCard,
    EnterRefund,
    RefundOnDevice,
    ReturnRefund,
}

impl Page {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Books,
        Self::AddFaults,
        Self::ForgetFaults,
        Self::Set,
        Self::EnterOrder,
        Self::ChangeOrder,
        Self::EnterCard,
        Self::EnterRefund,
        Self::RefundOnDevice,
        Self::ReturnRefund,
    ];

    /// Where it is.
    pub(super) fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Books => ("GET", "/sandbox/books"),
            Self::AddFaults => ("POST", "/sandbox/faults"),
            Self::ForgetFaults => ("DELETE", "/sandbox/faults"),
            Self::Set => ("POST", "/sandbox/settings"),
            Self::EnterOrder => ("POST", "/sandbox/orders"),
            Self::ChangeOrder => ("PATCH", "/sandbox/orders"),
            Self::EnterCard => ("POST", "/sandbox/cards"),
            Self::EnterRefund => ("POST", "/sandbox/refunds"),
            Self::RefundOnDevice => ("POST", "/sandbox/device-refunds"),
            Self::ReturnRefund => ("POST", "/sandbox/returns"),
        }
    }

    /// The one that is there.
    pub(super) fn at(method: &str, path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.place() == (method, path))
    }

    /// Whether it can be asked of some orders alone.
    pub(super) fn is_of_orders(self) -> bool {
        match self {
            Self::Books | Self::ForgetFaults => true,
            Self::AddFaults
            | Self::Set
            | Self::EnterOrder
            | Self::ChangeOrder
            | Self::EnterCard
            | Self::EnterRefund
            | Self::RefundOnDevice
            | Self::ReturnRefund => false,
        }
    }
}

/// Whose orders are meant: those with these numbers, of whatever kind; without one, all.
#[derive(Debug, Default)]
pub(super) struct Whose(Vec<String>);

/// What a query names that there is not.
#[derive(Debug, thiserror::Error)]
#[error("there is no parameter here but order_id, which names an order and may come several times")]
pub(super) struct NoSuchParameter;

impl Whose {
    /// Those that a query names, as `order_id=A&order_id=B`.
    ///
    /// # Errors
    /// If it names something else, or nothing.
    pub(super) fn of(query: Option<&str>) -> Result<Self, NoSuchParameter> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let ids = pairs.map(|(name, value)| {
            let fits = name == "order_id" && !value.is_empty();
            fits.then(|| value.into_owned()).ok_or(NoSuchParameter)
        });
        ids.collect::<Result<_, _>>().map(Self)
    }

    /// Whether all are meant.
    pub(super) fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of these is meant, by this.
    pub(super) fn has(&self, is_named: impl Fn(&str) -> bool) -> bool {
        self.is_all() || self.0.iter().any(|id| is_named(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_orders_and_nothing_else() {
        let table = [
            (None, Some(0)),
            (Some(""), Some(0)),
            (Some("order_id=A"), Some(1)),
            (Some("order_id=A&order_id=%26"), Some(2)),
            (Some("order_id="), None),
            (Some("order_id"), None),
            (Some("orderId=A"), None),
            (Some("order_id=A&times=1"), None),
        ];
        for (query, ids) in table {
            assert_eq!(Whose::of(query).ok().map(|whose| whose.0.len()), ids, "{query:?}");
        }
    }
}
