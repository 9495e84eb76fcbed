//! The reader of replies, as the targets in `fuzz/` reach it. Only their builds have it.

use super::fields::Fields;
use super::reply::{self, Reply};
use super::{HttpReply, trades};
use crate::error::Error;
use crate::trade::{CardTrade, RefundTrade, Trade};

/// The field in which the call is taken to have named its order.
pub const ORDER_FIELD: &str = "order_id";

/// A reply's result, and whether Sunmi has finished it.
pub type Read<T> = Result<(bool, T), Error>;

/// A reply to a query.
pub fn query(reply: HttpReply) -> Read<Trade> {
    read(reply, trades::trade)
}

/// A reply to a refund.
pub fn refund(reply: HttpReply) -> Read<RefundTrade> {
    read(reply, trades::refund)
}

/// A reply to a query of a card trade.
pub fn swipe_query(reply: HttpReply) -> Read<CardTrade> {
    read(reply, trades::card_trade)
}

fn read<T>(reply: HttpReply, typed: fn(Fields<'_>) -> T) -> Read<T> {
    let typed = |reply: Reply<Fields<'_>>| match reply {
        Reply::Done(fields) => (true, typed(fields)),
        Reply::Processing(fields) => (false, typed(fields)),
    };
    reply::read(reply, ORDER_FIELD, typed).1
}
