//! The two queries.

use serde_json::Value;

use super::call::{Form, Reply, get};
use super::order::day_in_china;
use super::{Book, Card, Kind, Order};

impl Book {
    /// 2.1.
    pub(super) fn query(&self, form: &Form, now: i64) -> Result<Value, Reply> {
        let visible = |at: usize, order: &Order| {
            let queryable = match order.kind {
                Kind::Payment => self.settings.payments_queryable,
                Kind::Refund => self.settings.refunds_queryable,
            };
            queryable && self.shown(at, now).is_some()
        };
        let at = self.find(form, ["misId", "orderId", "platformId"], visible)?;
        let shown = self.shown(at, now).ok_or_else(|| Reply::refusal("E19"))?;
        Ok(shown.as_query_data(self.settings.totals_shown))
    }

    /// 2.3.
    pub(super) fn swipe_query(&self, form: &Form, now: i64) -> Result<Value, Reply> {
        let order_id = get(form, "orderId");
        let platform_id = get(form, "platformId");
        if order_id.is_none() && platform_id.is_none() {
            return Err(Reply::missing("merchant_order_no"));
        }
        let now = now.div_euclid(1000);
        let day = get(form, "tradeDate").map_or_else(|| day_in_china(now), str::to_owned);
        if day.len() != 8 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Reply::refusal("Q03"));
        }
        let fits = |card: &&Card| {
            card.is_of(&day, now)
                && order_id.is_none_or(|id| id == card.order_id)
                && platform_id.is_none_or(|id| id == card.platform_id)
        };
        let card = self.cards.iter().find(fits).ok_or_else(|| Reply::refusal("E19"))?;
        Ok(card.as_data(now))
    }

    /// Where the order is, of those visible, that the first given of these parameters names.
    pub(super) fn find(
        &self,
        form: &Form,
        [mis, order, platform]: [&str; 3],
        visible: impl Fn(usize, &Order) -> bool,
    ) -> Result<usize, Reply> {
        let by = |fits: &dyn Fn(&Order) -> bool| {
            let of_caller = |it: &Order| it.app_id.as_ref().is_none_or(|id| *id == form["app_id"]);
            // The latest: a number may have been used twice.
            let mut orders = self.orders.iter().enumerate();
            let at = orders.rposition(|(at, it)| fits(it) && of_caller(it) && visible(at, it));
            at.ok_or_else(|| Reply::refusal("E19"))
        };
        if let Some(id) = get(form, mis) {
            return by(&|order| order.mis_id == id);
        }
        if let Some(id) = get(form, order) {
            return by(&|order| order.order_id == id || order.asked_as.as_deref() == Some(id));
        }
        let id = get(form, platform).ok_or_else(|| Reply::missing("sunmi_order_no "))?;
        by(&|order| order.platform_id == id)
    }
}
