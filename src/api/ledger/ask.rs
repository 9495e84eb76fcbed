//! Which refund is asked for.

use crate::api::about::About;
use crate::api::convert::Reader;
use crate::api::pb;
use crate::error::Error;
use crate::trade::Identifier;

/// The refund that a request asks for.
pub(super) struct Wanted {
    /// Whoever signed it, if named.
    pub(super) app_id: Option<Identifier>,
    pub(super) order_id: Identifier,
    /// Whether Sunmi is asked once more.
    pub(super) ask_sunmi: bool,
}

impl From<&Wanted> for About {
    fn from(wanted: &Wanted) -> Self {
        let Wanted { app_id, order_id, ask_sunmi: _ } = wanted;
        Self { app_id: app_id.clone(), order_id: Some(order_id.clone()), ..Self::default() }
    }
}

/// Reads the request.
pub(super) fn wanted(request: pb::GetRefundRequest) -> Result<Wanted, Error> {
    let mut reader = Reader::default();
    let app_id = reader.optional("app_id", request.app_id);
    let order_id = reader.required("order_id", request.order_id);
    let ask_sunmi = request.ask_sunmi;
    let wanted = order_id.map(|order_id| Wanted { app_id, order_id, ask_sunmi });
    reader.finish(wanted)
}
