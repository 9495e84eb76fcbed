//! What a call is about, by the identifiers of its request, for the log.

use crate::trade::{Identifier, OrderRef, Query, Refund, SwipeQuery};

/// The identifiers of a request that was in order.
#[derive(Debug, Default)]
pub(super) struct About {
    /// Who signs; no secret, and no identifier of a trade.
    pub(super) app_id: Option<Identifier>,
    pub(super) msn: Option<Identifier>,
    pub(super) order_id: Option<Identifier>,
    pub(super) mis_id: Option<Identifier>,
    pub(super) platform_id: Option<Identifier>,
    /// The payment that a refund is of.
    pub(super) original: Option<Identifier>,
    pub(super) business_id: Option<Identifier>,
}

impl About {
    fn new(app_id: &Identifier, msn: &Identifier) -> Self {
        Self { app_id: Some(app_id.clone()), msn: Some(msn.clone()), ..Self::default() }
    }
}

impl From<&Query> for About {
    fn from(query: &Query) -> Self {
        let mut about = Self::new(&query.app_id, &query.msn);
        match query.order.clone() {
            OrderRef::MisId(number) => about.mis_id = Some(number),
            OrderRef::OrderId(number) => about.order_id = Some(number),
            OrderRef::PlatformId(number) => about.platform_id = Some(number),
        }
        about
    }
}

impl From<&Refund> for About {
    fn from(refund: &Refund) -> Self {
        Self {
            order_id: Some(refund.order_id.clone()),
            original: Some(refund.original.named().1.clone()),
            business_id: Some(refund.business_id.clone()),
            ..Self::new(&refund.app_id, &refund.msn)
        }
    }
}

impl From<&SwipeQuery> for About {
    fn from(query: &SwipeQuery) -> Self {
        Self {
            order_id: query.order_id.clone(),
            platform_id: query.platform_id.clone(),
            ..Self::new(&query.app_id, &query.msn)
        }
    }
}
