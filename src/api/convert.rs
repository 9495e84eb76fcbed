//! Between the contract and the domain. Requests are validated here and nowhere else, and
//! every violation is reported, not only the first.

use jiff::civil::Date;

use super::pb;
use crate::error::{Error, Violation};
use crate::trade::{
    AppIds, CardOrganization, CardTrade, CardType, Evidence, Identifier, Note, OrderRef, OrderType,
    PaymentPlatform, Query, Refund, Refunded, SwipeOrderType, SwipeQuery, Trade, TradeState,
    UnixSeconds,
};

/// So many open refunds can be acknowledged at most.
const MAX_ACKNOWLEDGED: usize = 100;

/// Reads a request field by field and collects what is wrong with it.
#[derive(Default)]
pub(super) struct Reader {
    violations: Vec<Violation>,
}

impl Reader {
    pub(super) fn fault<T>(&mut self, field: &'static str, rule: &'static str) -> Option<T> {
        self.violations.push(Violation { field, rule });
        None
    }

    pub(super) fn check(&mut self, holds: bool, field: &'static str, rule: &'static str) {
        if !holds {
            self.fault::<()>(field, rule);
        }
    }

    pub(super) fn required(&mut self, field: &'static str, text: String) -> Option<Identifier> {
        match text.is_empty() {
            true => self.fault(field, "is required"),
            false => self.identifier(field, text),
        }
    }

    pub(super) fn optional(&mut self, field: &'static str, text: String) -> Option<Identifier> {
        if text.is_empty() { None } else { self.identifier(field, text) }
    }

    pub(super) fn identifier(&mut self, field: &'static str, text: String) -> Option<Identifier> {
        Identifier::parse(text).or_else(|| self.fault(field, Identifier::RULE))
    }

    pub(super) fn acknowledged(&mut self, numbers: Vec<String>) -> Option<Box<[Identifier]>> {
        let field = "acknowledged_open_order_ids";
        if numbers.len() > MAX_ACKNOWLEDGED {
            return self.fault(field, "must be at most 100 numbers");
        }
        let numbers: Vec<_> =
            numbers.into_iter().map(|number| self.identifier(field, number)).collect();
        numbers.into_iter().collect()
    }

    pub(super) fn note(&mut self, operator: String, reason: String) -> Option<Note> {
        let fits = [
            ("operator", Note::is_operator(&operator), Note::OPERATOR_RULE),
            ("reason", Note::is_reason(&reason), Note::REASON_RULE),
        ];
        for (field, fits, rule) in fits {
            self.check(fits, field, rule);
        }
        let filled = |text: String| Some(text).filter(|text| !text.is_empty());
        fits.iter()
            .all(|(_, fits, _)| *fits)
            .then(|| Note { operator: filled(operator), reason: filled(reason) })
    }

    pub(super) fn app_id(
        &mut self,
        id: Option<&Identifier>,
        rule: &'static str,
    ) -> Option<Identifier> {
        id.cloned().or_else(|| self.fault("app_id", rule))
    }

    pub(super) fn trade_date(&mut self, text: String) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        let real = Date::strptime("%Y%m%d", &text).is_ok_and(|date| date.year() > 0);
        if digits && real {
            Some(text)
        } else {
            self.fault("trade_date", "must be a date as yyyyMMdd, such as 20190630, or empty")
        }
    }

    /// The request, if all of it could be read and nothing was wrong.
    pub(super) fn finish<T>(self, request: Option<T>) -> Result<T, Error> {
        match request.filter(|_| self.violations.is_empty()) {
            Some(request) => Ok(request),
            None => Err(Error::invalid(self.violations)),
        }
    }
}

const UNKNOWN_APP_ID: &str =
    "must be an app_id that this server is configured with; it may be empty if there is a default";
const UNKNOWN_REFUND_APP_ID: &str =
    "must be an app_id that this server is configured with; it may be empty if there is only one";

pub(super) fn query(request: pb::QueryRequest, app_ids: &AppIds) -> Result<Query, Error> {
    use pb::query_request::Order;
    let mut reader = Reader::default();
    let app_id = reader.app_id(app_ids.for_read(&request.app_id), UNKNOWN_APP_ID);
    let msn = reader.required("msn", request.msn);
    let order = match request.order {
        Some(Order::MisId(id)) => reader.required("mis_id", id).map(OrderRef::MisId),
        Some(Order::OrderId(id)) => reader.required("order_id", id).map(OrderRef::OrderId),
        Some(Order::PlatformId(id)) => reader.required("platform_id", id).map(OrderRef::PlatformId),
        None => reader.fault("order", "one of mis_id, order_id and platform_id is required"),
    };
    let query = (|| Some(Query { app_id: app_id?, msn: msn?, order: order? }))();
    reader.finish(query)
}

pub(super) fn refund(request: pb::RefundRequest, app_ids: &AppIds) -> Result<Refund, Error> {
    use pb::refund_request::Original;
    let mut reader = Reader::default();
    let app_id = reader.app_id(app_ids.for_refund(&request.app_id), UNKNOWN_REFUND_APP_ID);
    let msn = reader.required("msn", request.msn);
    let amount = request.amount_minor;
    reader.check(amount > 0, "amount_minor", "must be at least 1");
    let same_number = matches!(
        &request.original,
        Some(Original::OriOrderId(id)) if !id.is_empty() && *id == request.order_id
    );
    let original = match request.original {
        Some(Original::OriMisId(id)) => reader.required("ori_mis_id", id).map(OrderRef::MisId),
        Some(Original::OriPlatformId(id)) => {
            reader.required("ori_platform_id", id).map(OrderRef::PlatformId)
        }
        Some(Original::OriOrderId(id)) => {
            reader.required("ori_order_id", id).map(OrderRef::OrderId)
        }
        None => reader
            .fault("original", "one of ori_mis_id, ori_platform_id and ori_order_id is required"),
    };
    let order_id = reader.required("order_id", request.order_id);
    reader.check(!same_number, "order_id", "must differ from ori_order_id");
    let business_id = reader.required("business_id", request.business_id);
    let acknowledged = reader.acknowledged(request.acknowledged_open_order_ids);
    let note = reader.note(request.operator, request.reason);
    let app_id_named = !request.app_id.is_empty();
    let refund = (|| {
        Some(Refund {
            app_id: app_id?,
            msn: msn?,
            amount,
            original: original?,
            order_id: order_id?,
            business_id: business_id?,
            app_id_named,
            acknowledged: acknowledged?,
            caller: None,
            day_bound: None,
            note: note?,
        })
    })();
    reader.finish(refund)
}

pub(super) fn swipe_query(
    request: pb::SwipeQueryRequest,
    app_ids: &AppIds,
) -> Result<SwipeQuery, Error> {
    let mut reader = Reader::default();
    let app_id = reader.app_id(app_ids.for_read(&request.app_id), UNKNOWN_APP_ID);
    let msn = reader.required("msn", request.msn);
    let trade_date = reader.trade_date(request.trade_date);
    let named = !request.order_id.is_empty() || !request.platform_id.is_empty();
    reader.check(named, "order_id", "order_id or platform_id is required");
    let order_id = reader.optional("order_id", request.order_id);
    let platform_id = reader.optional("platform_id", request.platform_id);
    let query =
        (|| Some(SwipeQuery { app_id: app_id?, msn: msn?, trade_date, order_id, platform_id }))();
    reader.finish(query)
}

pub(super) fn query_response(trade: Trade) -> pb::QueryResponse {
    pb::QueryResponse {
        amount_minor: trade.amount,
        business_id: trade.business_id,
        buyer_pay_amount_minor: trade.buyer_pay_amount,
        mis_id: trade.mis_id,
        msn: trade.msn,
        order_type: order_type(trade.order_type),
        order_id: trade.order_id,
        pay_time: timestamp(trade.pay_time),
        platform: payment_platform(trade.platform),
        platform_id: trade.platform_id,
        refunded_minor: trade.refunded,
        result_code: trade.result_code,
        result_message: trade.result_message,
        state: trade_state(trade.state),
        unrecognized: trade.unrecognized,
    }
}

pub(super) fn refund_response(refunded: Refunded) -> pb::RefundResponse {
    let Refunded { trade, evidence, replayed } = refunded;
    let evidence = match evidence {
        Evidence::Reply => pb::RefundEvidence::Reply,
        Evidence::Query => pb::RefundEvidence::Query,
        Evidence::Operator => pb::RefundEvidence::Operator,
    };
    pb::RefundResponse {
        amount_minor: trade.amount,
        business_id: trade.business_id,
        mis_id: trade.mis_id,
        msn: trade.msn,
        order_id: trade.order_id,
        order_type: order_type(trade.order_type),
        ori_mis_id: trade.ori_mis_id,
        ori_order_id: trade.ori_order_id,
        pay_time: timestamp(trade.pay_time),
        platform: payment_platform(trade.platform),
        platform_id: trade.platform_id,
        result_code: trade.result_code,
        result_message: trade.result_message,
        state: trade_state(trade.state),
        evidence: evidence.into(),
        replayed,
        unrecognized: trade.unrecognized,
    }
}

pub(super) fn swipe_query_response(trade: CardTrade) -> pb::SwipeQueryResponse {
    pb::SwipeQueryResponse {
        currency_code: trade.currency_code,
        amount_minor: trade.amount,
        batch_no: trade.batch_no,
        card_organization: card_organization(trade.card_organization),
        card_hash: trade.card_hash,
        card_type: card_type(trade.card_type),
        merchant_no: trade.merchant_no,
        order_type: swipe_order_type(trade.order_type),
        ori_trade_ref: trade.ori_trade_ref,
        order_id: trade.order_id,
        pay_time: timestamp(trade.pay_time),
        platform_id: trade.platform_id,
        result_code: trade.result_code,
        result_message: trade.result_message,
        short_card: trade.short_card,
        state: trade_state(trade.state),
        terminal_no: trade.terminal_no,
        trace_no: trade.trace_no,
        trade_ref: trade.trade_ref,
        unrecognized: trade.unrecognized,
    }
}

fn timestamp(time: Option<UnixSeconds>) -> Option<prost_types::Timestamp> {
    time.map(|time| prost_types::Timestamp { seconds: time.get(), nanos: 0 })
}

fn order_type(value: Option<OrderType>) -> i32 {
    let value = match value {
        None => pb::OrderType::Unspecified,
        Some(OrderType::Payment) => pb::OrderType::Payment,
        Some(OrderType::Refund) => pb::OrderType::Refund,
    };
    value.into()
}

fn swipe_order_type(value: Option<SwipeOrderType>) -> i32 {
    let value = match value {
        None => pb::SwipeOrderType::Unspecified,
        Some(SwipeOrderType::Purchase) => pb::SwipeOrderType::Purchase,
        Some(SwipeOrderType::Refund) => pb::SwipeOrderType::Refund,
        Some(SwipeOrderType::Void) => pb::SwipeOrderType::Void,
        Some(SwipeOrderType::PreAuthorization) => pb::SwipeOrderType::PreAuthorization,
        Some(SwipeOrderType::PreAuthorizationCompletion) => {
            pb::SwipeOrderType::PreAuthorizationCompletion
        }
        Some(SwipeOrderType::Reversal) => pb::SwipeOrderType::Reversal,
        Some(SwipeOrderType::Inquiry) => pb::SwipeOrderType::Inquiry,
    };
    value.into()
}

pub(super) fn trade_state(value: Option<TradeState>) -> i32 {
    let value = match value {
        None => pb::TradeState::Unspecified,
        Some(TradeState::Created) => pb::TradeState::Created,
        Some(TradeState::Unpaid) => pb::TradeState::Unpaid,
        Some(TradeState::Succeeded) => pb::TradeState::Succeeded,
        Some(TradeState::Ended) => pb::TradeState::Ended,
        Some(TradeState::Failed) => pb::TradeState::Failed,
        Some(TradeState::Processing) => pb::TradeState::Processing,
    };
    value.into()
}

fn payment_platform(value: Option<PaymentPlatform>) -> i32 {
    let value = match value {
        None => pb::PaymentPlatform::Unspecified,
        Some(PaymentPlatform::Wxpay) => pb::PaymentPlatform::Wxpay,
        Some(PaymentPlatform::Alipay) => pb::PaymentPlatform::Alipay,
        Some(PaymentPlatform::Unionpay) => pb::PaymentPlatform::Unionpay,
    };
    value.into()
}

fn card_type(value: Option<CardType>) -> i32 {
    let value = match value {
        None => pb::CardType::Unspecified,
        Some(CardType::Credit) => pb::CardType::Credit,
        Some(CardType::Debit) => pb::CardType::Debit,
        Some(CardType::SemiCredit) => pb::CardType::SemiCredit,
        Some(CardType::Scan) => pb::CardType::Scan,
    };
    value.into()
}

fn card_organization(value: Option<CardOrganization>) -> i32 {
    let value = match value {
        None => pb::CardOrganization::Unspecified,
        Some(CardOrganization::Wechat) => pb::CardOrganization::Wechat,
        Some(CardOrganization::Alipay) => pb::CardOrganization::Alipay,
        Some(CardOrganization::Shengpay) => pb::CardOrganization::Shengpay,
        Some(CardOrganization::BankCard) => pb::CardOrganization::BankCard,
        Some(CardOrganization::UnionpayScan) => pb::CardOrganization::UnionpayScan,
        Some(CardOrganization::UnionpayStaticCode) => pb::CardOrganization::UnionpayStaticCode,
        Some(CardOrganization::UnionpayDynamicCode) => pb::CardOrganization::UnionpayDynamicCode,
    };
    value.into()
}
